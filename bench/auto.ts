/**
 * Whether the rule of `solver: 'auto'` (src/solvers/auto.ts) holds: on each data set the score of the default on the test part beside that
 * of every solver in RIVALS with the same hidden widths, each stopped early on the same held-out tenth, and the seconds of both. The rule was
 * chosen on what is held out; the test part is only told. `--tables FOLDER` has NAME-train.csv and NAME-test.csv. Writes
 * bench/results/auto.json.
 */
import { join } from 'node:path';
import { fit, type Model, type TrainingData } from 'dladmm';
import { loadDataset } from 'dladmm/data';
import { file, maybe, program, say, some, THREADS } from './harness/program.js';
import { keep, machine, machineText, resultFile } from './harness/results.js';
import { inFolder } from './harness/samples.js';
import { table } from './harness/table.js';

const NAMED = [
  'iris',
  'wine',
  'breast-cancer',
  'digits',
  'diabetes',
  'mnist',
  'fashion-mnist',
  'california-housing',
] as const;
/** Tables as CSV, and the column that each predicts. */
const TABLES = { adult: 'income', churn: 'churned', rare: 'bought' } as const;
const SETS = [...NAMED, ...(Object.keys(TABLES) as (keyof typeof TABLES)[]), 'higgs-like'] as const;

/** The rivals, and the settings of each that people begin with. */
const RIVALS = {
  'minibatch-admm': { solver: 'minibatch-admm', epochs: 20 },
  adam: { solver: 'adam', epochs: 20, batchSize: 128 },
  'adam, large batches': { solver: 'adam', epochs: 20, batchSize: 512, learningRate: 3e-3 },
  sgd: { solver: 'sgd', epochs: 20, learningRate: 0.05, momentum: 0.9 },
  dladmm: { solver: 'dladmm', iterations: 100 },
} as const;

const OPTIONS = {
  sets: some(SETS),
  rivals: some(Object.keys(RIVALS) as (keyof typeof RIVALS)[]),
  tables: file,
  threads: THREADS,
  dataDir: file,
  out: maybe(file),
};

/** A million rows of two classes that a hyperbola and noise tell apart, 28 features wide. */
function higgsLike(rows: number, seed: number): TrainingData {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const columns = 28;
  const data = Float32Array.from({ length: rows * columns }, next);
  const labels = Int32Array.from({ length: rows }, (_, i) => {
    const [a = 0, b = 0, c = 0, d = 0] = data.subarray(i * columns, i * columns + 4);
    return a * b + 0.5 * c - d * d + 0.4 * next() > -0.3 ? 1 : 0;
  });
  return { x: { data, rows, columns }, labels };
}

interface Loaded {
  readonly train: TrainingData | string;
  readonly test: TrainingData | string;
  readonly target?: string;
}

async function load(
  name: (typeof SETS)[number],
  { tables, dataDir }: { tables?: string | undefined; dataDir?: string | undefined },
): Promise<Loaded> {
  if (name === 'higgs-like') return { train: higgsLike(1e6, 1), test: higgsLike(1e5, 2) };
  if (name in TABLES) {
    const at = (part: string): string => join(tables ?? 'tables', `${name}-${part}.csv`);
    return { train: at('train'), test: at('test'), target: TABLES[name as keyof typeof TABLES] };
  }
  const set = await loadDataset(name as (typeof NAMED)[number], inFolder(dataDir));
  return { train: set.train, test: set.test };
}

/** Accuracy, or the share of the variance that is explained by half the squared error of the mean. */
async function scoreOf(model: Model, test: Loaded['test'], spread: number | undefined): Promise<number> {
  const { accuracy, loss } = await model.evaluate(test as TrainingData);
  return accuracy ?? 1 - loss / (spread ?? Number.NaN);
}

function spreadOf({ y }: TrainingData): number | undefined {
  const values = typeof y === 'object' && 'data' in y ? (y.data as Float64Array) : undefined;
  if (values === undefined) return undefined;
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  return values.reduce((sum, value) => sum + (value - mean) ** 2 / 2 / values.length, 0);
}

await program(OPTIONS, async ({ sets, rivals, threads, out = resultFile('auto'), ...where }) => {
  const results: { set: string; method: string; score: number; seconds: number }[] = [];
  for (const set of sets) {
    const { train, test, target } = await load(set, where).catch((error: Error) => {
      say(`${set} is left out: ${error.message}`);
      return { train: '', test: '', target: undefined };
    });
    if (train === '') continue;
    const spread = typeof test === 'string' ? undefined : spreadOf(test);
    const asked = { threads, ...(target !== undefined && { target }) };
    const measure = async (method: string, options: object): Promise<void> => {
      const began = performance.now();
      const { model } = await fit(train as TrainingData, { ...asked, ...options } as never);
      const seconds = (performance.now() - began) / 1000;
      const score = await scoreOf(model as unknown as Model, test, spread);
      results.push({ set, method, score, seconds });
      say(`${set} ${method}: ${score.toFixed(4)} in ${seconds.toFixed(2)} s`);
    };
    await measure('auto', {});
    for (const rival of rivals) {
      await measure(rival, { ...RIVALS[rival], validationShare: 0.1, earlyStopping: { patience: 5, metric: 'loss' } });
    }
  }
  const rows = sets.flatMap((set) => {
    const of = results.filter((each) => each.set === set);
    const [auto, ...others] = of;
    const best = others.toSorted((a, b) => b.score - a.score)[0];
    if (!auto || !best) return [];
    return [
      [
        set,
        auto.score.toFixed(4),
        auto.seconds.toFixed(2),
        best.method,
        best.score.toFixed(4),
        best.seconds.toFixed(2),
      ],
    ];
  });
  const found = { ...machine(threads), results };
  await keep(out, found);
  const head = ['data', 'auto', 's', 'best solver', 'score', 's'];
  return { result: found, text: `${table(head, rows)}\n${machineText(found)}` };
});
