/**
 * How late a timer of 10 ms fires while a training runs, loading of the data included; and how long the event loop is held up at most,
 * and by how much garbage collection of that, while a table of rows is read, learnt from, judged and predicted.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fit, train } from 'dladmm';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { availableThreads, frameOf, readFrame } from './harness/internals.js';
import { count, layers, program } from './harness/program.js';
import { machine } from './harness/results.js';
import { randomSamples } from './harness/samples.js';
import { quantile, sum } from './harness/statistics.js';
import { table } from './harness/table.js';
import { ticker } from './harness/ticker.js';
import { churn } from './tabular/synthetic.js';

const PERIOD = 10;
/** A table's work is watched more closely, for this long after its end too. */
const CLOSE = 1;
const AFTER = 20;

/** Customers with columns of every kind, and values that are missing. */
const customers = (rows: number) =>
  churn(rows).map((row) => ({ ...row, age: row.age === '' ? null : Number(row.age), autopay: row.autopay === 'true' }));

/** What a table's work holds the event loop up for, by its name. */
async function held(rows: number, folder: string) {
  const records = customers(rows);
  const names = Object.keys(records[0] ?? {}) as (keyof (typeof records)[number])[];
  const [csv, parquet] = [join(folder, 'customers.csv'), join(folder, 'customers.parquet')];
  await writeFile(csv, `${[names, ...records.map(Object.values)].map((row) => row.join()).join('\n')}\n`);
  const columnData = names.map((name) => ({ name, data: records.map((record) => record[name]) }));
  await writeFile(parquet, new Uint8Array(parquetWriteBuffer({ columnData })));

  const pauses: { readonly startTime: number; readonly duration: number }[] = [];
  const observer = new PerformanceObserver((list) => void pauses.push(...list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const { ticks, stop } = ticker(CLOSE);
  const works: { readonly work: string; readonly from: number; readonly to: number }[] = [];
  const during = async <T>(work: string, does: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const found = await does();
    await sleep(AFTER);
    works.push({ work, from, to: performance.now() });
    return found;
  };
  await sleep(AFTER);
  await during('read an array of records', () => frameOf(records, { name: 'records' }));
  const stream = async function* () {
    yield* records;
  };
  await during('read a stream of records', () => frameOf(stream(), { name: 'records' }));
  await during('read a CSV file', () => readFrame(csv));
  await during('read a Parquet file', () => readFrame(parquet));
  const epochs: number[] = [];
  const onIteration = (): void => void epochs.push(performance.now());
  const { model } = await during('fit', () => fit(records, { target: 'churned', epochs: 2, onIteration }));
  const { from, to } = works.pop() as (typeof works)[number];
  const [begun = to, ended = to] = [epochs[0], epochs.at(-1)];
  works.push({ work: 'fit records, to the first epoch', from, to: begun });
  works.push({ work: 'fit records, from then on', from: begun, to: ended });
  works.push({ work: 'fit records, the end', from: ended, to });
  await during('evaluate records', () => model.evaluate(records));
  await during('evaluate a CSV file', () => model.evaluate(csv));
  await during('predict records', () => model.predict(records));
  await during('predict a CSV file', () => model.predict(csv));
  stop();
  observer.disconnect();
  return works.map(({ work, from, to }) => {
    const within = ticks.filter(({ at }) => at > from && at <= to);
    const { at, late } = within.reduce((most, each) => (each.late > most.late ? each : most), { at: from, late: 0 });
    const inIt = pauses.filter(({ startTime }) => startTime > at - late - CLOSE && startTime < at);
    const collectionMs = sum(inIt.map(({ duration }) => duration));
    const ownMs = within.reduce((most, { own }) => Math.max(most, own), 0);
    return { work, seconds: (to - from) / 1000, heldMs: late, collectionMs, ownMs };
  });
}

const COUNTS = { samples: count(60_000), seconds: count(20), rows: count(200_000) };
const OPTIONS = { layers: layers('784-500-500-10'), ...COUNTS };

await program(OPTIONS, async ({ layers, samples, seconds, rows }) => {
  const data = randomSamples(layers, samples);
  const { ticks, stop } = ticker(PERIOD);
  const end = AbortSignal.timeout(seconds * 1000);
  let iterations = 0;
  for await (const _ of train(data, { solver: 'dladmm', layers, iterations: 1e6, signal: end })) iterations += 1;
  stop();
  const lateness = ticks.map(({ late }) => late);
  const folder = await mkdtemp(join(tmpdir(), 'dladmm-eventloop-'));
  const works = await held(rows, folder).finally(() => rm(folder, { recursive: true }));

  const [medianMs, p99Ms, p999Ms] = [0.5, 0.99, 0.999].map((share) => quantile(lateness, share));
  const late = { medianMs, p99Ms, p999Ms, largestMs: Math.max(...lateness) };
  const name = layers.join('-');
  const result = { layers: name, samples, iterations, timers: lateness.length, ...late, rows, works };
  const share = ['median', '99 %', '99.9 %'];
  const text = [
    `${result.timers} timers of ${PERIOD} ms beside ${iterations} iterations of ${name}, ${samples} samples`,
    `late by ${share.map((what, i) => `${Object.values(late)[i]?.toFixed(2)} ms (${what})`).join(', ')}, ${late.largestMs.toFixed(2)} ms at most`,
    '',
    table(
      [`${rows} rows`, 'seconds', 'held up, ms', 'collection in it, ms', 'longest by processor time, ms'],
      works.map(({ work, ...numbers }) => [work, ...Object.values(numbers).map((value) => value.toFixed(1))]),
    ),
  ].join('\n');
  return { result: { ...result, ...machine(availableThreads()) }, text };
});
