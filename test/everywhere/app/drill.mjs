// What every recipe builds and runs: a training and its predictions, a table that others wrote, an abort.
import { writeFileSync } from 'node:fs';
import { fit, info } from 'dladmm';
import { loadDataset, readParquet } from 'dladmm/data';

const OPTIONS = { layers: [64, 40, 10], iterations: 30, nu: 1, rho: 1, theta0: 1e-12, tau0: 1e-12, threads: 2 };

/** What a file that is written into the folder of the program comes to. */
function writing() {
  try {
    writeFileSync('written', '');
    return 'written';
  } catch ({ code }) {
    return code;
  }
}

export async function trained() {
  const { train, test } = await loadDataset('digits');
  const { model, status } = await fit(train, OPTIONS);
  const { accuracy } = await model.evaluate(test);
  const { labels } = await model.predict(test.x);
  const right = labels.filter((label, i) => label === test.labels[i]).length / labels.length;
  return { kind: status.kind, good: accuracy > 0.8, same: Math.abs(right - accuracy) < 1e-12 };
}

export async function aborted() {
  const { train } = await loadDataset('digits');
  const stop = new AbortController();
  const onIteration = () => stop.abort();
  const { status } = await fit(train, { ...OPTIONS, iterations: 1e6, signal: stop.signal, onIteration });
  return status.kind;
}

export async function drill() {
  const table = await readParquet('table.parquet', { target: 'label', texts: 'one-hot' });
  return {
    ...(await trained()),
    aborted: await aborted(),
    rows: table.x.rows,
    writing: writing(),
    addon: info().addon,
  };
}

/** In few words: Node shows the line of an error that nobody catches, and that may be a whole bundle. */
export const tell = (result) =>
  result.then(
    (value) => console.log(JSON.stringify(value)),
    ({ code, message }) => {
      console.error(code, message);
      process.exitCode = 1;
    },
  );
