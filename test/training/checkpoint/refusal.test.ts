import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { decodeSafetensors } from '../../../src/formats/safetensors.js';
import { fit as fitModel, Model, readCheckpoint, resume, type TrainOptions } from '../../../src/index.js';
import type { DladmmOptions } from '../../../src/solvers.js';
import { checkValues, openCheckpoint } from '../../../src/training/checkpoint/file.js';
import { drills } from '../../children/drills.js';
import { run } from '../../children/run.js';
import { failure, rewriteHeader, samples, scratch } from './support.js';

const file = scratch();
const data = samples(23);
const classes = { x: data.x, labels: data.labels };
const OPTIONS: DladmmOptions = { layers: [4, 3, 3], iterations: 4, nu: 1, rho: 1, threads: 2, refreshEvery: 2 };

const good = file();
/** A copy of a good checkpoint that may be spoilt. */
const copy = async (): Promise<string> => {
  const path = file();
  await copyFile(good, path);
  return path;
};

beforeAll(async () => {
  await fitModel(classes, { ...OPTIONS, iterations: 2, checkpoint: { path: good } });
});

describe('a checkpoint', () => {
  it('is a safetensors file, that other tools can look into', async () => {
    const { tensors, metadata } = decodeSafetensors(await readFile(good), 'c');
    const shapes = Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, `${dtype} ${shape}`]));
    expect(shapes).toMatchObject({
      'W.1': 'F32 3,4',
      'b.2': 'F32 3',
      'z.1': 'F32 23,3',
      'a.1': 'F32 23,3',
      u: 'F32 23,3',
    });
    expect(metadata).toMatchObject({ format: 'dladmm-checkpoint-6' });
  });

  it('with a damaged byte anywhere is refused, and the damage named', async () => {
    const whole = await readFile(good);
    const path = file();
    const header = 8 + Number(whole.readBigUInt64LE(0));
    for (let i = 0; i < whole.length; i += drills(3, 1)) {
      const bytes = Buffer.from(whole);
      bytes[i] = (bytes[i] ?? 0) ^ (1 << (i % 8));
      await writeFile(path, bytes);
      const what = i < header ? /header|bytes/ : /the checksum of "/;
      await expect(readCheckpoint(path), `byte ${i} of ${whole.length}`).rejects.toEqual(
        failure('ERR_DLADMM_FORMAT', what),
      );
    }
    for (let i = 0; i < whole.length; i += 61) {
      const bytes = Buffer.from(whole);
      bytes[i] = (bytes[i] ?? 0) ^ 255;
      await writeFile(path, bytes);
      await expect(resume(path, classes), `byte ${i}`).rejects.toEqual(
        failure('ERR_DLADMM_FORMAT', /no whole checkpoint/),
      );
    }
  });

  it('that is cut short, or goes on after its end, is refused', async () => {
    const whole = await readFile(good);
    const path = file();
    for (const size of [0, 1, 7, 8, 9, 40, 500, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, size));
      await expect(resume(path, classes), `${size} bytes`).rejects.toEqual(failure('ERR_DLADMM_FORMAT'));
      await expect(readCheckpoint(path), `${size} bytes`).rejects.toEqual(failure('ERR_DLADMM_FORMAT'));
    }
    await writeFile(path, Buffer.concat([whole, Buffer.of(0)]));
    await expect(resume(path, classes)).rejects.toEqual(failure('ERR_DLADMM_FORMAT', /bytes, but \d+ follow/));
  });

  it('that is none is refused: a folder, nothing, a model, a text', async () => {
    await expect(resume(file(), classes)).rejects.toEqual(failure('ERR_DLADMM_FILE', /does not exist/));
    await expect(resume('/', classes)).rejects.toEqual(failure('ERR_DLADMM_FILE'));
    const model = file('model.safetensors');
    await (await fitModel(classes, OPTIONS)).model.save(model);
    await expect(resume(model, classes)).rejects.toEqual(
      failure('ERR_DLADMM_FORMAT', /it is a model, which goes on by model\.fit/),
    );
    const text = file('text');
    await writeFile(text, 'some text that is longer than eight bytes');
    await expect(readCheckpoint(text)).rejects.toEqual(failure('ERR_DLADMM_FORMAT'));
    await expect(Model.load(good)).rejects.toEqual(failure('ERR_DLADMM_FORMAT', /it is a checkpoint: resume/));
    await expect(resume('', classes)).rejects.toEqual(failure('ERR_DLADMM_ARGUMENT'));
  });

  it('whose parts do not fit together is refused, though its checksums are right', async () => {
    const moved = await copy();
    await rewriteHeader(moved, '"W.1"', '"W.9"');
    await expect(resume(moved, classes)).rejects.toEqual(failure('ERR_DLADMM_FORMAT', /"W.1" is missing/));
    const wider = await copy();
    await rewriteHeader(wider, String.raw`\"layers\":[4,3,3]`, String.raw`\"layers\":[4,4,3]`);
    await expect(resume(wider, classes)).rejects.toEqual(failure('ERR_DLADMM_FORMAT', /bytes where \d+ belong/));
    const absurd = await copy();
    await rewriteHeader(absurd, String.raw`\"iteration\":2`, String.raw`\"iteration\":-2`);
    await expect(resume(absurd, classes)).rejects.toEqual(failure('ERR_DLADMM_FORMAT'));
    const unknown = await copy();
    await rewriteHeader(unknown, String.raw`\"nu\":1`, String.raw`\"xx\":1`);
    await expect(resume(unknown, classes)).rejects.toEqual(failure('ERR_DLADMM_FORMAT', /run.checkpoint is no .*xx/));
  });
});

describe('a checkpoint whose checksum is right and whose header is nonsense is refused by a DlAdmmError', () => {
  test.each([
    ['metadata that are no texts', '"sections":', '"sections":3,"s":', /"sections" is 3/],
    ['a tensor that is null', '"u":{', '"zz":null,"u":{', /"zz" is null/],
    ['a tensor that is a text', '"u":{', '"zz":"text","u":{', /"zz" is "text"/],
    ['text that is no JSON', String.raw`{\"version`, String.raw`{{\"version`, /not JSON/],
    ['nothing at all', String.raw`{\"version`, String.raw`null,{\"version`, /not JSON/],
    ['options that are none', String.raw`\"options\":{`, String.raw`\"options\":null,\"o\":{`, /options is null/],
    ['data that are none', String.raw`\"data\":{`, String.raw`\"data\":[],\"d\":{`, /data is an array/],
    [
      'a scale of texts',
      String.raw`\"learnt\":{}`,
      String.raw`\"learnt\":{\"standardisation\":{\"mean\":\"x\"}}`,
      /learnt is/,
    ],
    ['a sign that is a number', String.raw`\"kept\":`, String.raw`\"kept\":3,\"k\":`, /kept is 3/],
    ['a time that is below 0', String.raw`\"elapsed\":`, String.raw`\"elapsed\":-1,\"e\":`, /elapsed is -1/],
    ['a best model that is a list', String.raw`\"kept\":`, String.raw`\"best\":[],\"kept\":`, /best is an array/],
    ['checksums of other arrays', '"sections":"', '"sections":"00', /no checksums/],
  ])('%s', async (_, from, to, message) => {
    const path = await copy();
    await rewriteHeader(path, from, to);
    await expect(readCheckpoint(path)).rejects.toEqual(failure('ERR_DLADMM_FORMAT', message));
    await expect(resume(path, classes)).rejects.toEqual(failure('ERR_DLADMM_FORMAT', message));
  });

  test('a memory that the solver cannot take up', async () => {
    for (const memory of ['null', '{}', String.raw`{\"penalties\":3}`, '[]']) {
      const path = await copy();
      await rewriteHeader(path, String.raw`\"memory\":`, String.raw`\"memory\":${memory},\"m\":`);
      await expect(resume(path, classes, { iterations: 3 })).rejects.toEqual(
        failure('ERR_DLADMM_FORMAT', /memory|penalties/),
      );
    }
  });
});

test.skipIf(process.platform === 'win32')(
  'a pipe in the place of a checkpoint is refused, and not waited for',
  async () => {
    const path = file('pipe');
    expect((await run('mkfifo', [path])).code).toBe(0);
    await expect(readCheckpoint(path)).rejects.toEqual(failure('ERR_DLADMM_FILE', /not a regular file/));
    await expect(resume(path, classes)).rejects.toEqual(failure('ERR_DLADMM_FILE', /not a regular file/));
  },
);

test('a disk that fails as a checkpoint is read is an ERR_DLADMM_FILE that says so', async () => {
  // Node gives such an error the number -5, the addon 5.
  for (const errno of [-5, 5, -99999]) {
    const error = Object.assign(new Error('EIO: i/o error, read'), { errno, code: 'EIO' });
    const from = await openCheckpoint(good);
    await from.file.close();
    const file = { read: () => Promise.reject(error) } as unknown as typeof from.file;
    await expect(checkValues({ ...from, file })).rejects.toEqual(failure('ERR_DLADMM_FILE', /EIO/));
  }
});

describe('a checkpoint that does not fit is refused', () => {
  const other = (what: Partial<typeof classes>) => ({ ...classes, ...what });
  const changed = <A extends Float64Array | Int32Array>(array: A, at: number, value: number): A => {
    const out = array.slice() as A;
    out[at] = value;
    return out;
  };

  test.each([
    ['one feature', other({ x: changed(data.x, 50, 0.5) }), /training samples.*others/],
    ['one label', other({ labels: changed(data.labels, 5, 0) }), /training samples.*others/],
    [
      'fewer samples',
      { x: data.x.subarray(0, 80), labels: data.labels.subarray(0, 20) },
      /23 training samples.*received 20/,
    ],
    ['the same in another order', { x: data.x.toReversed(), labels: data.labels }, /others/],
  ])('with other data: %s', async (_, given, message) => {
    await expect(resume(good, given)).rejects.toEqual(failure('ERR_DLADMM_CHECKPOINT', message));
  });

  test('with other targets of a regression', async () => {
    const path = file();
    const targets = { x: data.x, y: data.y };
    await fitModel(targets, { ...OPTIONS, loss: 'squared-error', iterations: 2, checkpoint: { path } });
    await expect(resume(path, { x: data.x, y: changed(data.y, 3, 9) })).rejects.toEqual(
      failure('ERR_DLADMM_CHECKPOINT'),
    );
    expect((await resume(path, targets, { iterations: 3 })).iterations).toBe(3);
  });

  test('with other names of the same classes, or the same features at another scale', async () => {
    const path = file();
    const names = (of: readonly string[]) => Array.from(data.labels, (label) => of[label] ?? '');
    const named = (of: readonly string[], scale = 1) => ({
      x: data.x.map((value) => value * scale),
      labels: names(of),
    });
    const given = named(['a', 'b', 'c']);
    await fitModel(given, { ...OPTIONS, standardise: true, iterations: 2, checkpoint: { path } });
    const refused = failure('ERR_DLADMM_CHECKPOINT', /names and the scale/);
    await expect(resume(path, named(['a', 'b', 'd']))).rejects.toEqual(refused);
    await expect(resume(path, named(['a', 'b', 'c'], 2))).rejects.toEqual(refused);
    const { model } = await resume(path, given, { iterations: 4 });
    expect(model.classes).toEqual(['a', 'b', 'c']);
    const whole = await fitModel(given, { ...OPTIONS, standardise: true });
    expect(model.weights).toEqual(whole.model.weights);
    expect(model.standardisation).toEqual(whole.model.standardisation);
  });

  test('with another validation set, where early stopping decides by it; another test set is welcome', async () => {
    const path = file();
    const watched = { ...classes, validation: samples(9) };
    const options: DladmmOptions = { ...OPTIONS, earlyStopping: { patience: 50 } };
    await fitModel(watched, { ...options, iterations: 2, checkpoint: { path } });
    await expect(resume(path, { ...classes, validation: samples(9) })).rejects.toEqual(
      failure('ERR_DLADMM_CHECKPOINT', /validation/),
    );
    await expect(resume(path, classes)).rejects.toEqual(failure('ERR_DLADMM_ARGUMENT', /validation/));
    expect((await resume(path, { ...watched, test: samples(5) }, { iterations: 3 })).iterations).toBe(3);
  });

  test('whose early stopping watches what is no metric', async () => {
    const path = file();
    const options: DladmmOptions = { ...OPTIONS, earlyStopping: { patience: 5, metric: 'accuracy' } };
    await fitModel({ ...classes, validation: samples(9) }, { ...options, iterations: 2, checkpoint: { path } });
    await rewriteHeader(path, String.raw`\"metric\":\"accuracy`, String.raw`\"metric\":\"accurate`);
    await expect(readCheckpoint(path)).rejects.toEqual(failure('ERR_DLADMM_FORMAT', /it watches accurate/));
  });

  test.each([
    ['layers', [4, 5, 3]],
    ['activation', 'tanh'],
    ['loss', 'hinge'],
    ['dtype', 'float64'],
    ['solver', 'adam'],
    ['schedule', 'paper'],
    ['classes', ['x', 'y', 'z']],
    ['nu', 2],
    ['seed', 2],
    ['l2', 0.1],
    ['refreshEvery', 25],
  ])('with another %s', async (name, value) => {
    await expect(resume(good, classes, { [name]: value } as never)).rejects.toEqual(
      failure('ERR_DLADMM_CHECKPOINT', new RegExp(`options.${name}`)),
    );
  });

  test('but not with options that are what they were', async () => {
    const same = {
      layers: [4, 3, 3],
      activation: 'relu',
      loss: 'softmax-cross-entropy',
      dtype: 'float32',
      threads: 2,
    } as const;
    expect(
      (await resume(good, classes, { ...same, nu: 1, iterations: 3, checkpoint: { path: file() } } as never))
        .iterations,
    ).toBe(3);
  });

  test.each([
    ['version', String.raw`\"version\":\"`, String.raw`\"version\":\"9.`],
    ['kernel', 'OpenBLAS ', 'OpenBLAS 9.'],
  ])('from another %s; inexact goes on all the same', async (_, from, to) => {
    const path = await copy();
    await rewriteHeader(path, from, to);
    await expect(resume(path, classes)).rejects.toEqual(failure('ERR_DLADMM_CHECKPOINT', /9\..*inexact/));
    const { model } = await resume(path, classes, { inexact: true, iterations: 4 });
    const { model: exact } = await fitModel(classes, { ...OPTIONS, iterations: 4 });
    expect(model.weights).toEqual(exact.weights);
  });

  test('but not with another number of threads, which give the same numbers', async () => {
    const { model } = await resume(await copy(), classes, { threads: 1, iterations: 4 });
    const { model: exact } = await fitModel(classes, { ...OPTIONS, iterations: 4 });
    expect(model.weights).toEqual(exact.weights);
  });

  test('of a format to come', async () => {
    const path = await copy();
    await rewriteHeader(path, 'dladmm-checkpoint-6', 'dladmm-checkpoint-7');
    await expect(resume(path, classes)).rejects.toEqual(failure('ERR_DLADMM_CHECKPOINT', /dladmm-checkpoint-6/));
    await expect(readCheckpoint(path)).rejects.toEqual(failure('ERR_DLADMM_CHECKPOINT'));
  });
});

describe('options', () => {
  test.each([
    [{}, 'ERR_DLADMM_ARGUMENT', /checkpoint.path/],
    [{ path: '' }, 'ERR_DLADMM_ARGUMENT', /checkpoint.path/],
    [{ path: 'a\0b' }, 'ERR_DLADMM_ARGUMENT', /zero byte/],
    [{ path: 'a', every: 0 }, 'ERR_DLADMM_RANGE', /checkpoint.every/],
    [{ path: 'a', every: 1.5 }, 'ERR_DLADMM_RANGE', /checkpoint.every/],
    [{ path: 'a', often: 3 }, 'ERR_DLADMM_ARGUMENT', /often/],
    [null, 'ERR_DLADMM_ARGUMENT', /checkpoint/],
  ])('%j is refused before anything is done', async (checkpoint, code, message) => {
    await expect(fitModel(classes, { ...OPTIONS, checkpoint } as TrainOptions)).rejects.toEqual(failure(code, message));
  });

  test('fewer iterations than are done are refused, as many are not', async () => {
    expect((await resume(await copy(), classes, { iterations: 2 })).history).toEqual([]);
    for (const limit of [{ iterations: 1 }, { epochs: 1 }])
      await expect(resume(good, classes, limit)).rejects.toEqual(
        failure(
          'ERR_DLADMM_RANGE',
          /Expected 2 or more, which .* has done, for options\.(iterations|epochs) but received 1/,
        ),
      );
  });

  test('a misspelt one of resume is refused', async () => {
    await expect(resume(good, classes, { iteration: 9 } as never)).rejects.toEqual(
      failure('ERR_DLADMM_ARGUMENT', /iteration: 9 .* did you mean iterations\?$/),
    );
    await expect(resume(good, classes, { inexact: 1 } as never)).rejects.toEqual(
      failure('ERR_DLADMM_ARGUMENT', /inexact/),
    );
    await expect(resume(good, null as never)).rejects.toEqual(failure('ERR_DLADMM_ARGUMENT', /data/));
  });

  test('no file but a checkpoint is replaced', async () => {
    const path = file('precious.csv');
    await writeFile(path, 'years of work');
    await expect(fitModel(classes, { ...OPTIONS, checkpoint: { path } })).rejects.toEqual(
      failure('ERR_DLADMM_FILE', /there already, and no checkpoint/),
    );
    expect(await readFile(path, 'utf8')).toBe('years of work');
    const empty = file('empty');
    await writeFile(empty, '');
    await fitModel(classes, { ...OPTIONS, checkpoint: { path: empty } });
    expect((await stat(empty)).size).toBeGreaterThan(0);
  });
});
