import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { choice, crossValidate, importance, search } from '../../src/choosing.js';
import {
  download,
  loadDataset,
  packSamples,
  parseCsv,
  readArrow,
  readCsv,
  readIdx,
  readNpy,
  readNpz,
  readParquet,
  readTable,
} from '../../src/data.js';
import { loadGraph, readGraph } from '../../src/graph.js';
import { fit, type Model, resume, resumeTraining, train } from '../../src/index.js';

// An abort is reported in one way, whenever it comes: what trains or searches ends with status 'aborted' and what it has; what gives its
// answer whole or not at all rejects with ERR_DLADMM_ABORTED.

const ROWS = Array.from({ length: 120 }, (_, i) => ({ a: Math.sin(i), b: i % 7, y: i % 2 ? 'yes' : 'no' }));
const SAMPLES = { x: ROWS.map(({ a, b }) => [a, b]), labels: ROWS.map(({ y }) => y) };
const GRAPH = {
  adjacency: {
    rows: 3,
    columns: 3,
    data: new Float32Array(7).fill(0.3),
    indptr: Int32Array.of(0, 2, 5, 7),
    indices: Int32Array.of(0, 1, 0, 1, 2, 1, 2),
  },
  features: { data: new Float32Array([1, 0, 0, 1, 1, 1]), rows: 3, columns: 2 },
  labels: Int32Array.of(0, 1, 0),
  trainIndex: Int32Array.of(0, 1, 2),
} as never;
const TARGET = { target: 'y', seed: 3 } as const;
const LONG = { epochs: 1e6 } as const;
const reason = new Error('enough');
const ABORTED = expect.objectContaining({ code: 'ERR_DLADMM_ABORTED', cause: reason });

const folder = mkdtempSync(join(tmpdir(), 'dladmm-aborts-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let model: Model;
beforeAll(async () => {
  const file = (name: string): string => join(folder, name);
  await writeFile(file('rows.csv'), ['a,b,y', ...ROWS.map(({ a, b, y }) => [a, b, y])].join('\n'));
  await packSamples(file('rows.samples'), ROWS, { target: 'y' });
  const kept = (path: string) => ({ solver: 'adam', epochs: 2, checkpoint: { path: file(path), every: 1 } }) as const;
  await fit(ROWS, { ...TARGET, ...kept('rows.checkpoint'), hidden: [4] });
  await fit(SAMPLES, { ...kept('samples.checkpoint'), layers: [2, 4, 2] });
  await fit(GRAPH, { layers: [2, 4, 2], iterations: 2, checkpoint: { path: file('graph.checkpoint'), every: 1 } });
  model = (await fit(ROWS, { ...TARGET, solver: 'adam', epochs: 2 })).model as Model;
});

/** Rows that come until the signal is aborted, after the tenth. */
async function* loading<T>(items: Iterable<T>, stop: AbortController): AsyncGenerator<T> {
  let left = 10;
  for (const item of items) {
    yield item;
    left -= 1;
    if (left === 0) setImmediate(() => stop.abort(reason));
    if (left === 0) await new Promise(() => undefined);
  }
}
/** A file is being read when the next turn comes. */
const soon = (stop: AbortController): void => void queueMicrotask(() => stop.abort(reason));

interface Way {
  readonly name: string;
  readonly go: (when: When, stop: AbortController) => Promise<unknown>;
  /** When there is a model already, or still. */
  readonly has: (when: When) => boolean;
}
type When = 'before' | 'while loading' | 'while training';
const MOMENTS: readonly When[] = ['before', 'while loading', 'while training'];

const stopping = (when: When, stop: AbortController) => ({
  signal: stop.signal,
  ...(when === 'while training' && { onIteration: () => stop.abort(reason) }),
});
const rowsAt = (when: When, stop: AbortController) => (when === 'while loading' ? loading(ROWS, stop) : ROWS) as never;
const samplesAt = (when: When, stop: AbortController) =>
  (when === 'while loading'
    ? {
        x: loading(
          SAMPLES.x.map((row, i) => ({ x: row, label: SAMPLES.labels[i] })),
          stop,
        ),
      }
    : SAMPLES) as never;
const fileAt = (when: When, stop: AbortController, name: string): never => {
  if (when === 'while loading') soon(stop);
  return join(folder, name) as never;
};

const always = () => true;
const trained = (when: When) => when === 'while training';
const WAYS: readonly Way[] = [
  { name: 'fit, records', has: trained, go: (w, s) => fit(rowsAt(w, s), { ...TARGET, ...LONG, ...stopping(w, s) }) },
  {
    name: 'fit, a file',
    has: trained,
    go: (w, s) => fit(fileAt(w, s, 'rows.csv'), { ...TARGET, ...LONG, ...stopping(w, s) }),
  },
  {
    name: 'fit, a store',
    has: trained,
    go: (w, s) => fit(fileAt(w, s, 'rows.samples'), { ...LONG, ...stopping(w, s) } as never),
  },
  {
    name: 'fit, records by a named solver',
    has: trained,
    go: (w, s) => fit(rowsAt(w, s), { ...TARGET, ...LONG, solver: 'sgd', ...stopping(w, s) } as never),
  },
  {
    name: 'fit, samples whose widths are not told',
    has: trained,
    go: (w, s) => fit(samplesAt(w, s), { ...LONG, ...stopping(w, s) }),
  },
  {
    name: 'fit, samples',
    has: always,
    go: (w, s) =>
      fit(samplesAt(w, s), { ...LONG, classes: ['no', 'yes'], solver: 'adam', layers: [2, 4, 2], ...stopping(w, s) }),
  },
  {
    name: 'fit, a graph',
    has: always,
    go: (w, s) => {
      if (w === 'while loading') soon(s);
      return fit(GRAPH, { iterations: 1e6, layers: [2, 4, 2], ...stopping(w, s) });
    },
  },
  {
    name: 'train',
    has: trained,
    go: async (w, s) => {
      const training = train(rowsAt(w, s), { ...TARGET, ...LONG, ...stopping(w, s) });
      for await (const _ of training);
      return training.result;
    },
  },
  ...(['rows', 'samples', 'graph'] as const).map((of) => ({
    name: `resume, ${of}`,
    has: always,
    go: (w: When, s: AbortController) => {
      const data = { rows: rowsAt, samples: samplesAt, graph: () => GRAPH }[of](w, s);
      if (of === 'graph' && w === 'while loading') soon(s);
      const limit = of === 'graph' ? { iterations: 1e6 } : LONG;
      return resume(join(folder, `${of}.checkpoint`), data, { ...limit, ...stopping(w, s) } as never);
    },
  })),
  {
    name: 'resumeTraining',
    has: always,
    go: async (w, s) => {
      const training = await resumeTraining(join(folder, 'rows.checkpoint'), rowsAt(w, s), {
        ...LONG,
        ...stopping(w, s),
      } as never);
      for await (const _ of training);
      return training.result;
    },
  },
  {
    name: 'model.fit',
    has: always,
    go: (w, s) => model.fit(rowsAt(w, s), { ...LONG, solver: 'adam', ...stopping(w, s) } as never),
  },
];

describe.each(WAYS)('$name', ({ go, has }) => {
  test.each(MOMENTS)('that is aborted %s ends as aborted, with the model that there is', async (when) => {
    const stop = new AbortController();
    if (when === 'before') stop.abort(reason);
    const result = (await go(when, stop)) as { readonly status: object; readonly model: Model };
    expect(result.status).toEqual({ kind: 'aborted' });
    if (has(when)) expect(result.model.weights.length).toBeGreaterThan(0);
    else expect(() => result.model).toThrow(ABORTED);
    // Who looks at all of it is not thrown at.
    expect(JSON.parse(JSON.stringify({ ...result, model: undefined }))).toMatchObject({ status: { kind: 'aborted' } });
  });
});

test.each([
  ['records', ROWS[0], TARGET],
  ['samples', { x: [1, 2], label: 'no' }, { layers: [2, 4, 2], classes: ['no', 'yes'] }],
])(
  'A source of %s that answers neither for rows nor for its end is told, and is not waited for',
  async (of, row, options) => {
    const stop = new AbortController();
    const calls: string[] = [];
    const never = (call: string) => () => {
      calls.push(call);
      return new Promise<never>(() => undefined);
    };
    let first = true;
    const stream = {
      [Symbol.asyncIterator]: () => ({
        next: () => {
          if (!first) return never('next')();
          first = false;
          setImmediate(() => stop.abort(reason));
          return Promise.resolve({ value: row, done: false });
        },
        return: never('return'),
      }),
    };
    const data = of === 'records' ? stream : { x: stream };
    const { status } = await fit(data as never, { ...options, ...LONG, solver: 'adam', signal: stop.signal } as never);
    expect(status).toEqual({ kind: 'aborted' });
    expect(calls).toEqual(['next', 'return']);
  },
);

test('model.fit that is aborted before its rows have come has the parameters that it had, in a model of its own', async () => {
  const { model: same } = await model.fit(ROWS as never, { signal: AbortSignal.abort(reason) } as never);
  expect(same).not.toBe(model);
  expect(same.weights).toEqual(model.weights);
  expect(await same.predict(ROWS as never)).toEqual(await model.predict(ROWS as never));
});

describe('search', () => {
  const space = { ...TARGET, hidden: [[]], epochs: choice([1, 2]) } as never;

  test.each(['before', 'while loading', 'in its first training'])('that is aborted %s has no best', async (when) => {
    const stop = new AbortController();
    if (when === 'before') stop.abort(reason);
    const rows = when === 'while loading' ? loading(ROWS, stop) : ROWS;
    const watched = { ...(space as object), ...LONG, onIteration: () => stop.abort(reason) };
    const of = when === 'in its first training' ? watched : space;
    const found = await search(rows as never, of as never, { folds: 2, signal: stop.signal, refit: true });
    expect(found).toMatchObject({ status: 'aborted', trials: [] });
    expect(String(found)).toBe('0 trials, aborted');
    expect(() => found.best).toThrow(ABORTED);
    expect(() => found.model).toThrow(ABORTED);
  });

  test.each(['a trial', 'the training of the best'])(
    'that is aborted after %s has its best and no model',
    async (when) => {
      const stop = new AbortController();
      const trials = when === 'a trial' ? 50 : 1;
      const onTrial = (): void =>
        void (when === 'a trial' ? stop.abort(reason) : setImmediate(() => stop.abort(reason)));
      const of = {
        ...(space as object),
        ...(when !== 'a trial' && { epochs: 3000, earlyStopping: { patience: 1e6 } }),
      };
      const options = { folds: 2, trials, signal: stop.signal, refit: true, onTrial } as const;
      const found = await search(ROWS as never, of as never, options);
      expect(found.status).toBe('aborted');
      expect(found.best.number).toBeGreaterThan(0);
      expect(() => found.model).toThrow(ABORTED);
    },
  );
});

const WHOLE: readonly (readonly [string, (signal: AbortSignal) => Promise<unknown>])[] = [
  ['readTable', (signal) => readTable(join(folder, 'rows.csv'), { signal })],
  ['readCsv', (signal) => readCsv(join(folder, 'rows.csv'), { signal })],
  ['parseCsv', (signal) => parseCsv(Buffer.from('a,y\n1,2\n'.repeat(1e5)), 'rows', { signal } as never)],
  ['readNpy', (signal) => readNpy(join(folder, 'rows.csv'), { signal })],
  ['readIdx', (signal) => readIdx(join(folder, 'rows.csv'), { signal })],
  ['readNpz', (signal) => readNpz(join(folder, 'rows.csv'), { signal })],
  ['readParquet', (signal) => readParquet(join(folder, 'rows.csv'), { signal })],
  ['readArrow', (signal) => readArrow(join(folder, 'rows.csv'), { signal })],
  ['loadDataset', (signal) => loadDataset('iris', { signal })],
  ['loadGraph', (signal) => loadGraph('cora', { signal })],
  ['readGraph', (signal) => readGraph(join(folder, 'rows.csv'), { signal })],
  ['download', (signal) => download('http://127.0.0.1:1/', join(folder, 'none'), '0'.repeat(64), { signal })],
  ['packSamples', (signal) => packSamples(join(folder, 'none.samples'), ROWS, { target: 'y', signal })],
  ['importance', (signal) => importance(model, ROWS as never, { signal })],
  ['crossValidate', (signal) => crossValidate(ROWS as never, TARGET as never, { signal, folds: 2 })],
];

describe.each(WHOLE)('%s', (_, go) => {
  test.each(['before', 'at work'])('that is aborted %s rejects as aborted', async (when) => {
    const stop = new AbortController();
    if (when === 'before') stop.abort(reason);
    else soon(stop);
    await expect(go(stop.signal)).rejects.toThrow(ABORTED);
  });
});

// Rates are asked for before an epoch begins.
test.each(['adam', 'minibatch-admm'] as const)(
  'a learning rate of %s that aborts ends the training before its epoch',
  async (solver) => {
    const stop = new AbortController();
    const learningRate = ({ epoch }: { readonly epoch: number }): number => {
      if (epoch === 2) stop.abort();
      return 0.1;
    };
    const options = { layers: [2, 3, 2], iterations: 4, batchSize: 20, signal: stop.signal };
    const { status, iterations } = await fit(SAMPLES, { solver, learningRate, ...options });
    expect([status.kind, iterations]).toEqual(['aborted', 1]);
  },
);
