import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { crossValidate, importance } from '../../src/choosing.js';
import { seededRandom } from '../../src/core/random.js';
import { openSamples, packSamples } from '../../src/data.js';
import { fit, type Model } from '../../src/index.js';
import { groupsOf, randomOf, StoredSet } from '../../src/samples/stored.js';
import { drills } from '../children/drills.js';
import { runProgram } from '../children/run.js';
import { expectFailure } from '../formats/support.js';

// A store of samples: what is packed is what is trained on, in an order that the seed decides, whatever memory there is.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-stored-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const bytesOf = ({ weights, biases }: Model) =>
  [...weights, ...biases].map((block) => Buffer.from(block.buffer).toString('base64'));

/** Blocks of 127 rows, two groups of them, and windows of 2,080. */
const [ROWS, INPUTS] = [5000, 2047];
const random = seededRandom(5);
const x = Uint8Array.from({ length: ROWS * INPUTS }, () => 20 * random.uniform());
const rowsOf = (data: Uint8Array) =>
  Array.from({ length: ROWS }, (_, i) => data.subarray(i * INPUTS, (i + 1) * INPUTS));
const labels = Int32Array.from({ length: ROWS }, (_, i) => ((x[i * INPUTS] as number) > 9 ? 1 : 0));
const weights = Float64Array.from({ length: ROWS }, (_, i) => 0.5 + (i % 3));
const wide = path('wide.samples');
await packSamples(wide, { x: rowsOf(x), labels, weights });
const common = {
  hidden: [3],
  standardise: false,
  validationShare: 0,
  batchSize: 160,
  threads: 1,
  seed: 3,
  epochs: 1,
} as const;

/** The rows as an epoch visits them. */
function visited(epoch = 0): number[] {
  const blockRows = Math.floor(2 ** 18 / (INPUTS + 2));
  const order: number[] = [];
  for (const { blocks, places } of groupsOf({ rows: ROWS, blockRows }, () => true, randomOf(3, epoch))) {
    for (const place of places)
      order.push((blocks[Math.floor(place / blockRows)] as number) * blockRows + (place % blockRows));
  }
  return order;
}

describe('training from a store', () => {
  const order = visited();

  test('visits every row of it once an epoch, in another order each', () => {
    expect(new Set(order).size).toBe(ROWS);
    expect(order).not.toEqual(order.toSorted((a, b) => a - b));
  });

  test.each([
    ['minibatch-admm', { gramEvery: 3 }],
    ['minibatch-admm', { factors: 'both' }],
    ['minibatch-admm', { scheduleFree: true }],
    ['sgd', { momentum: 0.9 }],
    ['adagrad', {}],
    ['adadelta', {}],
    ['adam', {}],
    ['nadamw', {}],
    ['schedule-free', {}],
    ['muon', {}],
    ['badm', { subBatches: 2 }],
    ['sisa', { subBatches: 2 }],
  ])('%s learns the same bits as from the same rows in memory, in the order of the epoch', async (solver, more) => {
    const stored = await fit(wide as 'wide.samples', { ...common, ...more, solver } as never);
    const rows = new Uint8Array(ROWS * INPUTS);
    for (const [i, row] of order.entries()) rows.set(x.subarray(row * INPUTS, (row + 1) * INPUTS), i * INPUTS);
    const { hidden: _, ...same } = common;
    const memory = await fit(
      {
        x: rows,
        labels: order.map((row) => labels[row] as number),
        weights: order.map((row) => weights[row] as number),
      },
      { ...same, ...more, solver, layers: [INPUTS, 3, 2], shuffle: false } as never,
    );
    expect(bytesOf(stored.model as Model)).toEqual(bytesOf(memory.model as Model));
    expect(stored.history[0]).toMatchObject({ steps: Math.ceil(ROWS / 160) });
  });

  test.each([160, 4500, ROWS - 1])('goes on so in the next epoch, in batches of %i too', async (batchSize) => {
    const {
      hidden: _,
      epochs: __,
      ...same
    } = { ...common, batchSize, solver: 'sgd', layers: [INPUTS, 3, 2], shuffle: false } as const;
    const taught = async (epoch: number, before?: Model) => {
      const rows = visited(epoch);
      const data = {
        x: rows.map((row) => x.subarray(row * INPUTS, (row + 1) * INPUTS)),
        labels: rows.map((row) => labels[row] as number),
        weights: rows.map((row) => weights[row] as number),
      };
      const { layers: ___, standardise: ____, ...goingOn } = same;
      const { model } = await (before
        ? before.fit(data, { ...goingOn, epochs: 1 })
        : fit(data, { ...same, epochs: 1 }));
      return model as Model;
    };
    const stored = await fit(wide as 'wide.samples', { ...common, batchSize, solver: 'sgd', epochs: 2 });
    expect(bytesOf(stored.model as Model)).toEqual(bytesOf(await taught(1, await taught(0))));
  });

  test('gives the same model for any memory that is enough, and refuses one that is not before it starts', async () => {
    const [little, much] = await Promise.all(
      ['3GB', 2 ** 40].map((memory) => fit(wide as 'wide.samples', { ...common, solver: 'adam', epochs: 2, memory })),
    );
    expect(bytesOf(little?.model as Model)).toEqual(bytesOf(much?.model as Model));
    await expectFailure(
      () => fit(wide as 'wide.samples', { ...common, solver: 'adam', memory: '50MB' }),
      'ERR_DLADMM_MEMORY',
      /takes \d+ MB .* but memory allows 50 MB/,
    );
  });

  test.each([
    [{ solver: 'adam', trainMetrics: true }, /takes all samples in memory/],
    [{ solver: 'adam', missing: 'error' }, /is said as samples are packed/],
    [{ solver: 'adam', loss: 'squared-error' }, /classification/],
    [{ solver: 'adam', memory: 'much' }, /2GB/],
    [{ solver: 'adam', distributed: true }, /a store is read by one process, for distributed/],
    [{ solver: 'adam', classes: ['a', 'b'] }, /have been told apart as samples were packed, for classes/],
  ])('refuses %o', async (options, text) => {
    await expectFailure(() => fit(wide as 'wide.samples', options as never), 'ERR_DLADMM_ARGUMENT', text);
  });
});

const table = path('table.csv');
writeFileSync(
  table,
  `size,gap,kind,price\n${Array.from({ length: 600 }, (_, i) => `${Math.sin(i)},${i % 7 === 0 ? '' : i % 5},${['a', 'b', 'c'][i % 3]},${Math.cos(i) + (i % 3)}`).join('\n')}\n`,
);

describe('a table that is packed', () => {
  test('is encoded as in memory, and scored the same by the model that it teaches', async () => {
    await packSamples(path('table.samples'), table, { target: 'price' });
    using samples = await openSamples(path('table.samples'));
    expect(samples).toMatchObject({ rows: 600, task: 'regression', target: 'price', outputs: 1 });
    const { model, report } = await fit(samples, { solver: 'adam', epochs: 4, threads: 1 });
    expect(report.heldOut).toMatchObject({ samples: 120, of: 600 });
    const [there, here] = [await model.evaluate(samples), await model.evaluate(table)];
    expect(there).toEqual(here);
    const known = await model.predict(table);
    for (const rows of [samples, path('table.samples')])
      expect((await model.predict(rows)).outputs.data).toEqual(known.outputs.data);
  });

  test('tunes, calibrates and tells columns apart as the same rows do in memory', async () => {
    const kinds = path('kinds.csv');
    const lines = Array.from(
      { length: 400 },
      (_, i) => `${Math.sin(i)},${i % 5},${Math.sin(i) + (i % 5) > 2 ? 'yes' : 'no'}`,
    );
    writeFileSync(kinds, `size,count,kind\n${lines.join('\n')}\n`);
    const file = path('kinds.samples');
    await packSamples(file, kinds, { target: 'kind' });
    using open = await openSamples(file);
    const options = { solver: 'adam', epochs: 2, threads: 1 } as const;
    const { model } = await fit(open, options);
    const { model: bare } = await fit(open, { ...options, loss: 'hinge' });
    const told = async (samples: typeof open | string) => ({
      ...{ threshold: (await model.tuneThreshold(samples)).threshold },
      ...{ calibration: (await bare.calibrate(samples)).calibration },
      worth: (await importance(model as Model, samples)).columns,
    });
    const known = await told(kinds);
    expect(known).toMatchObject({ threshold: expect.any(Number), calibration: expect.any(Object) });
    for (const samples of [open, file]) expect(await told(samples)).toEqual(known);
    // What has to have all rows in memory says so.
    expect(() => model.predictSync(open as never)).toThrow(/rows in memory .* for x but received ".*kinds\.samples"/);
    const refused = {
      code: 'ERR_DLADMM_ARGUMENT',
      message: expect.stringContaining('rows in memory (a store is learnt'),
    };
    await expect(crossValidate(open as never, { epochs: 1 })).rejects.toMatchObject(refused);
    await expect(fit(kinds, { ...options, target: 'kind', validation: open as never })).rejects.toMatchObject(refused);
  });

  test('teaches what it teaches in memory, standardised and in its order', async () => {
    const options = { solver: 'adam', epochs: 3, threads: 1, hidden: [4], shuffle: false, validationShare: 0 } as const;
    const stored = await fit(path('table.samples') as 'table.samples', options);
    const memory = await fit(table, { ...options, target: 'price' });
    expect(bytesOf(stored.model as Model)).toEqual(bytesOf(memory.model as Model));
  });
});

describe('a stream that is packed', () => {
  test('is written as it comes; its classes are those of the same samples in memory', async () => {
    async function* rows() {
      for (let i = 0; i < 3000; i += 1) yield { x: [Math.sin(i), i % 2], label: ['low', 'high'][i % 2] };
    }
    await packSamples(path('rows.samples'), rows() as never);
    using samples = await openSamples(path('rows.samples'));
    expect(samples).toMatchObject({ rows: 3000, inputs: 2, classes: ['high', 'low'] });
    const { labels: found } = await new StoredSet(samples).gathered(true);
    expect([...(found ?? [])].slice(0, 4)).toEqual([1, 0, 1, 0]);
    const { model } = await fit(samples, { solver: 'adam', epochs: 5 });
    expect((await model.evaluate(samples)).accuracy).toBe(1);
  });

  test('a bad row is named, and no file is left', async () => {
    const rows = [
      { x: [1, 2], label: 0 },
      { x: [1, Number.NaN], label: 1 },
    ];
    await expectFailure(
      () => packSamples(path('bad.samples'), rows as never),
      'ERR_DLADMM_NON_FINITE',
      /row 1, column 1/,
    );
    expect((await readdir(folder)).filter((name) => name.includes('bad') || name.includes('tmp'))).toEqual([]);
  });
});

describe('a file of a store', () => {
  const small = path('small.samples');
  const whole = (async () => {
    const numbers = Float64Array.from({ length: 60 }, (_, i) => [i % 2, i, i / 8, i / 3, Math.PI * i][i % 5] as number);
    await packSamples(small, {
      x: { data: numbers, rows: 12, columns: 5 },
      labels: Array.from({ length: 12 }, (_, i) => i % 3),
    });
    return { bytes: readFileSync(small), numbers };
  })();
  const readAll = async (file: string) => {
    using samples = await openSamples(file);
    return new StoredSet(samples).gathered(true);
  };

  test('holds every number exactly, or rounded to the type that is asked for', async () => {
    const { numbers } = await whole;
    const { x: there } = await readAll(small);
    const rows = there as unknown as { chunk(first: number, count: number): Float64Array };
    expect(rows.chunk(0, 12)).toEqual(numbers);
    for (const [precision, error] of [
      ['float32', 2 ** -24],
      ['float16', 2 ** -11],
    ] as const) {
      await packSamples(
        path('short'),
        {
          x: { data: numbers, rows: 12, columns: 5 },
          labels: Array(12)
            .fill(0)
            .map((_, i) => i % 2),
        },
        { precision },
      );
      const { x: short } = await readAll(path('short'));
      const found = (short as unknown as typeof rows).chunk(0, 12);
      expect(
        found.every((value, i) => Math.abs(value - (numbers[i] as number)) <= error * (numbers[i] as number)),
      ).toBe(true);
    }
  });

  test('that was cut at any length, or had a bit changed in any byte, is a typed error', async () => {
    const { bytes } = await whole;
    const file = path('damaged');
    for (let at = 0; at < bytes.length; at += drills(4, 1)) {
      writeFileSync(file, bytes.subarray(0, at));
      await expectFailure(() => readAll(file), 'ERR_DLADMM_FORMAT');
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      writeFileSync(file, changed);
      await expectFailure(() => readAll(file), 'ERR_DLADMM_FORMAT');
    }
  });

  test('that changes while it is learnt from is a typed error, and one of another kind says what it is', async () => {
    await packSamples(path('changing.samples'), { x: rowsOf(x), labels });
    using samples = await openSamples(path('changing.samples'));
    const bytes = readFileSync(path('changing.samples'));
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    writeFileSync(path('changing.samples'), bytes);
    await expectFailure(() => fit(samples, { ...common, solver: 'adam' }), 'ERR_DLADMM_FORMAT', /checksum of block/);
    await expectFailure(() => openSamples(table), 'ERR_DLADMM_FORMAT', /is text, as CSV is, which is not read here/);
    await expectFailure(() => openSamples(path('none')), 'ERR_DLADMM_FILE');
    await expectFailure(
      () => packSamples(table, { x: [[1], [2]], labels: [0, 1] }),
      'ERR_DLADMM_FILE',
      /Refused to write/,
    );
  });
});

const dist = (file: string): string => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);

test('a store larger than the memory that is allowed is learnt from within it', async () => {
  const block = Float32Array.from({ length: 500 * 1000 }, () => random.normal());
  const labels = new Uint8Array(500).map((_, i) => i % 2);
  async function* rows() {
    for (let i = 0; i < 160; i += 1) yield { x: { data: block, rows: 500, columns: 1000 }, labels };
  }
  const { bytes } = await packSamples(path('large.samples'), rows() as never);
  expect(bytes).toBeGreaterThan(3.1e8);
  const { stdout, stderr, code } = await runProgram(`
    await fit(${JSON.stringify(path('large.samples'))}, { solver: 'adam', hidden: [4], epochs: 1, memory: '290MB', validationShare: 0.001 });
    process.stdout.write(String(1024 * process.resourceUsage().maxRSS));
  `);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(Number(stdout)).toBeLessThan(2.9e8);
}, 120_000);

test('who is killed while packing leaves no store', async () => {
  const target = path('killed.samples');
  const program = `
    import { packSamples } from ${dist('data.js')};
    const x = new Float32Array(1e6).fill(0.3);
    async function* rows() {
      for (let i = 0; ; i += 1) {
        if (i === 20) process.stdout.write('going');
        yield { x: { data: x, rows: 1000, columns: 1000 }, labels: new Uint8Array(1000) };
      }
    }
    await packSamples(${JSON.stringify(target)}, rows());
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await ended;
  expect((await readdir(folder)).filter((name) => name.includes('killed'))).toEqual([]);
  await packSamples(target, { x: [[1], [2]], labels: [0, 1] });
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});
