import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { machine } from '../../dist/bench/harness/results.js';
import { firstOf, heldOut, type Samples } from '../../dist/bench/harness/samples.js';
import { type EpochRun, pointOf } from '../../dist/bench/race/run.js';
import { pictureOf, rowOf, strip } from '../../dist/bench/tasks/picture.js';
import { bestOf, byMethod, medianCurve, summaryOf, type TaskResult, tableOf } from '../../dist/bench/tasks/result.js';
import { BEST, GRIDS, TASKS } from '../../dist/bench/tasks/settings.js';
import { ALPHABET, decode, drawn, encode, fold, frequencyBits, windows, written } from '../../dist/bench/tasks/text.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('a text', () => {
  test('is folded to the alphabet', () => {
    expect(fold('“Call me\n\n Ishmael” — 1851,\tthe whale’s Café*\n')).toBe(`"call me ishmael" - , the whale's cafe`);
    expect(fold(' \n')).toBe('');
  });

  test('comes back from its codes', () => {
    expect(decode(encode(ALPHABET))).toBe(ALPHABET);
    expect(Array.from(encode(' ab'))).toEqual([0, 1, 2]);
  });

  test('that the project ships has no character outside the alphabet once folded, and all within', async () => {
    const codes = encode(fold(await readFile(join(root, 'data/text/moby-dick.txt'), 'utf8')));
    expect(codes.length).toBeGreaterThan(190_000);
    expect([...new Set(codes)].sort((left, right) => left - right)).toEqual(Array.from(ALPHABET, (_, i) => i));
  });
});

describe('the windows of a text', () => {
  const { x, labels } = windows(encode('abac'), 2);

  test('are as many as characters have enough before them, each labelled with what follows', () => {
    expect([x.rows, x.columns]).toEqual([2, 2 * ALPHABET.length]);
    expect(decode(labels)).toBe('ac');
    expect(windows(encode('ab'), 2).x.rows).toBe(0);
    expect(windows(encode('a'), 2)).toMatchObject({ x: { rows: 0 }, labels: new Int32Array() });
  });

  test('are one-hot, in the order of the characters', () => {
    const ones = Array.from(x.data.entries()).flatMap(([i, value]) => (value === 0 ? [] : [[i, value]]));
    const size = ALPHABET.length;
    const [a, b] = [1, 2];
    expect(ones).toEqual([
      [a, 1],
      [size + b, 1],
      [2 * size + b, 1],
      [3 * size + a, 1],
    ]);
  });
});

describe('what frequencies alone cost', () => {
  test('is log2 of the alphabet where nothing is known', () => {
    expect(frequencyBits(new Int32Array(), encode('moby'))).toBeCloseTo(Math.log2(ALPHABET.length), 12);
  });

  test('is the mean of −log2 of each frequency, counted once more', () => {
    const total = 3 + ALPHABET.length;
    const bits = (-Math.log2(3 / total) - Math.log2(1 / total)) / 2;
    expect(frequencyBits(encode('aab'), encode('az'))).toBeCloseTo(bits, 12);
  });
});

describe('the writing', () => {
  test.each([
    [0, 1],
    [0.24, 1],
    [0.25, 2],
    [0.9999, 2],
  ])('draws by the probabilities 0, ¼, ¾, 0: %d gives %d', (uniform, index) => {
    expect(drawn([0, 0.25, 0.75, 0], uniform)).toBe(index);
  });

  test('never draws what cannot occur, whatever rounding leaves over', () => {
    expect(drawn([0.5, 0.4999, 0], 0.99995)).toBe(1);
  });

  test('sees its own last characters and not the start twice', async () => {
    const seen: string[] = [];
    const next = async (history: Int32Array) => {
      seen.push(decode(history));
      // After each character the next one of the alphabet, for certain.
      return Array.from(ALPHABET, (_, i) => (i === (history.at(-1) ?? 0) + 1 ? 1 : 0));
    };
    expect(decode(await written(encode('xab'), 4, 1, next))).toBe('cdef');
    expect(seen).toEqual(['xab', 'abc', 'bcd', 'cde']);
  });
});

describe('the samples', () => {
  const x = { data: Float32Array.from({ length: 42 }, (_, i) => i), rows: 21, columns: 2 };
  const labels = Int32Array.from({ length: 21 }, (_, i) => i);

  test('are cut with their labels or targets', () => {
    const { x: cut, labels: kept, y } = firstOf<Samples>({ x, labels }, 2);
    expect([Array.from(cut.data), cut.rows, Array.from(kept ?? []), y]).toEqual([[0, 1, 2, 3], 2, [0, 1], undefined]);
    expect(firstOf({ x, y: x }, 2).y?.data).toEqual(Float32Array.of(0, 1, 2, 3));
    expect(firstOf({ x, labels }, 100).x.rows).toBe(21);
  });

  test('lose their last tenth to the choice of settings', () => {
    const { train, test: held } = heldOut({ x, labels });
    expect([train.x.rows, held.x.rows]).toEqual([18, 3]);
    expect(Array.from(held.labels ?? [])).toEqual([18, 19, 20]);
    expect(Array.from(held.x.data)).toEqual([36, 37, 38, 39, 40, 41]);
  });
});

describe('the settings', () => {
  test.each(TASKS)('of %s: what was found for a method is in its grid', (task) => {
    for (const [method, setting] of Object.entries(BEST[task])) {
      expect(setting?.solver).toBe(method);
      expect(GRIDS[task][method]).toContainEqual(setting);
    }
  });
});

describe('a result', () => {
  const point = (epoch: number, seconds: number, testLoss: number) => ({ epoch, seconds, trainLoss: 1, testLoss });
  const runs: readonly EpochRun[] = [
    { seed: 1, status: 'completed', points: [point(1, 2, 9), point(2, 4, 5), point(3, 6, 6)] },
    { seed: 2, status: 'completed', points: [point(1, 3, 7), point(2, 5, 4), point(3, 9, 8)] },
    { seed: 3, status: 'diverged', points: [point(1, 1, 8), point(2, 9, 3)] },
  ];
  const result: TaskResult = {
    ...{ task: 'language', title: 'the next character', data: 'text', layers: '2-3', unit: 'bits' },
    ...{ reference: { name: 'frequencies', loss: 4 }, samples: 10, testSamples: 5, epochs: 3, ...machine(1) },
    runs: [
      ...runs.map((run, i) => ({ method: 'adam', setting: 'rate 1', ...run, ...(i === 0 && { text: 'abc' }) })),
      { method: 'badm', setting: 'rho 1', seed: 1, status: 'diverged', points: [] },
    ],
  };

  test('is told in the unit of the task', () => {
    const record = { iteration: 2, loss: 5, test: { loss: 7, accuracy: 0.5 } };
    expect(pointOf(record, 13, 2)).toEqual({
      epoch: 2,
      seconds: 13,
      trainLoss: 10,
      testLoss: 14,
      testAccuracy: 0.5,
    });
  });

  test('is the median of the seeds, for the epochs that all of them reached', () => {
    expect(medianCurve(runs)).toEqual([point(1, 2, 8), point(2, 5, 4)]);
    expect(medianCurve([])).toEqual([]);
  });

  test('is best at its first lowest test loss', () => {
    expect(bestOf([point(1, 1, 3), point(2, 2, 2), point(3, 3, 2)])?.epoch).toBe(2);
    expect(bestOf([])).toBeUndefined();
  });

  test('is summed up for programs and for people, with a diverged method too', () => {
    const [adam, badm] = summaryOf(result).methods;
    expect(adam).toMatchObject({ ended: ['completed', 'completed', 'diverged'], best: { epoch: 2, testLoss: 4 } });
    expect(badm).toMatchObject({ best: null, last: null });
    const lines = tableOf(result).split('\n');
    expect(lines).toContain('frequencies: 4.000');
    expect(lines[2]).toMatch(/^adam +best 4\.000 in epoch 2, 5\.0 s; last 4\.000 .*; completed, diverged +rate 1$/);
    expect(lines[3]).toMatch(/^badm +best -; last -; diverged +rho 1$/);
    expect(lines).toContain('adam writes: abc');
  });
});

describe('the picture', () => {
  // Two images of 2 × 2: 0 1 / 2 3 and 4 5 / 6 7, as fractions of 255.
  const images = Array.from({ length: 8 }, (_, i) => i / 255);

  test('has the images of a row side by side, kept to what a pixel can show', () => {
    expect(Array.from(strip(images, 2))).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
    expect(Array.from(strip([-1, 2, 0.5, Number.NaN], 2))).toEqual([0, 255, 128, 0]);
  });

  test('is made of grey PNG files', () => {
    const { width, height, png } = rowOf('a', images, 2);
    expect([width, height]).toEqual([4, 2]);
    const file = Buffer.from(png, 'base64');
    // Of IHDR: 8 bits a pixel, grey.
    expect([...file.subarray(24, 26)]).toEqual([8, 0]);
    const { data } = PNG.sync.read(file);
    expect(Array.from(data).filter((_, i) => i % 4 === 0)).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
  });

  test('is one SVG with a named row for each method', () => {
    const svg = pictureOf([rowOf('a & b', images, 2), rowOf('c', images, 2)]);
    expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(svg.match(/<image [^>]*width="8" height="4" href="data:image\/png;base64,/g)).toHaveLength(2);
    expect(svg).toContain('>a &amp; b</text>');
  });
});

describe('bench:tasks', () => {
  const program = join(root, 'dist/bench/tasks.js');
  const place = { folder: '' };
  beforeAll(async () => {
    place.folder = await mkdtemp(join(tmpdir(), 'dladmm-tasks-'));
  });
  afterAll(() => rm(place.folder, { recursive: true, force: true }));
  const run = (task: string, ...args: readonly string[]) => {
    const files = ['--out', `tasks-${task}.json`, '--svg', 'tasks.svg', '--picture', 'it.svg'];
    const tiny = ['--samples', '500', '--epochs', '2', '--seeds', '2', '--dataset', 'digits'];
    return promisify(execFile)(process.execPath, [program, '--task', task, ...files, ...tiny, ...args], {
      cwd: place.folder,
    });
  };
  const read = (file: string): Promise<string> => readFile(join(place.folder, file), 'utf8');

  test('learns both tasks and draws them in one chart, and the images', async () => {
    const { stdout } = await run('language', '--json');
    const spoken: TaskResult = JSON.parse(await read('tasks-language.json'));
    expect(spoken).toMatchObject({ layers: '288-256-256-36', samples: 500, epochs: 2, unit: 'bits a character' });
    for (const own of byMethod(spoken.runs)) {
      expect(own.map(({ seed, points, text }) => [seed, points.length, text?.length])).toEqual([
        [1, 2, 200],
        [2, 2, undefined],
      ]);
    }
    const printed = JSON.parse(stdout) as ReturnType<typeof summaryOf>;
    for (const [i, { method, last, text }] of summaryOf(spoken).methods.entries()) {
      expect(printed.methods[i]).toMatchObject({ method, text, ended: ['completed', 'completed'] });
      expect(printed.methods[i]?.last?.testLoss).toBeCloseTo(last?.testLoss ?? Number.NaN, 6);
    }

    await run('autoencoder');
    const drawnTask: TaskResult = JSON.parse(await read('tasks-autoencoder.json'));
    expect(drawnTask).toMatchObject({ data: 'digits', layers: '64-256-32-256-64' });
    expect(byMethod(drawnTask.runs).map(([run]) => run?.method)).toEqual(['adam', 'badm', 'sisa']);
    expect((await read('it.svg')).match(/<image /g)).toHaveLength(4);
    const chart = await read('tasks.svg');
    for (const title of ['epoch', 'seconds', 'test loss, bits a character', 'test loss, ½‖z − y‖² an image'])
      expect(chart).toContain(`>${title}</text>`);
  });

  test('tunes on what it holds out, and writes nothing', async () => {
    const args = ['--methods', 'adam', '--tune', '--json', '--out', 'none.json'];
    const { stdout } = await run('language', ...args);
    const { tried, best } = JSON.parse(stdout);
    expect(tried).toHaveLength(GRIDS.language.adam?.length ?? 0);
    expect(best.loss).toBe(Math.min(...tried.map(({ loss }: { loss: number }) => loss)));
    await expect(stat(join(place.folder, 'none.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test.each([
    ['--task', 'gan', 2],
    ['--methods', 'none', 2],
    ['--samples', '0', 2],
    ['--dataset', 'nothing', 1],
    ['--dataset', 'wine', 1],
    ['--out', 'no/such/folder/it.json', 1],
  ])('refuses %s %s in one line', async (option, value, code) => {
    await expect(run('autoencoder', option, value)).rejects.toMatchObject({
      code,
      stderr: expect.stringMatching(/^[^\n]+\n$/),
    });
  });
});
