import { constants, mkdtempSync, rmSync } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc, test as property } from '@fast-check/vitest';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { readWholeFile, writeFileAtomic } from '../../src/formats/atomic-file.js';
import { decodeSafetensors, encodeSafetensors, type Tensor } from '../../src/formats/safetensors.js';
import { decodeModel, encodeModel, loadModelFile, type StoredModel, saveModel } from '../../src/model/model-file.js';
import { ACTIVATION_NAMES } from '../../src/network/network.js';
import { drills } from '../children/drills.js';

// What the disk answers to the next writes, by turns; empty for the real disk.
const disk = vi.hoisted(() => ({ failures: [] as { on: 'write' | 'sync' | 'rename'; code: string }[] }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const due = (on: string) => {
    if (disk.failures[0]?.on !== on) return;
    const { code } = disk.failures.shift() ?? {};
    throw Object.assign(new Error(`${code}: simulated`), { code });
  };
  return {
    ...real,
    open: async (...args: Parameters<typeof real.open>) => {
      const handle = await real.open(...args);
      const { write, sync } = handle;
      return Object.assign(handle, {
        write: async (...rest: unknown[]) => {
          due('write');
          return Reflect.apply(write, handle, rest);
        },
        sync: async () => {
          due('sync');
          return sync.call(handle);
        },
      });
    },
    rename: async (...args: Parameters<typeof real.rename>) => {
      due('rename');
      return real.rename(...args);
    },
  };
});

const root = mkdtempSync(join(tmpdir(), 'dladmm-model-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const freshFolder = async (): Promise<string> => {
  const folder = join(root, String(folders++));
  await mkdir(folder);
  return folder;
};

const error = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
const refusal = (message = /./) => error('ERR_DLADMM_FORMAT', message);

const model: Extract<StoredModel, { kind: 'perceptron' }> = {
  kind: 'perceptron',
  network: { layers: [3, 2, 2], activation: 'relu', loss: 'softmax-cross-entropy' },
  dtype: 'float32',
  weights: [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(-1, 0.5, 0.25, -0)],
  biases: [Float32Array.of(0.1, 0.2), Float32Array.of(7, 8)],
  classes: ['cat', 'dög'],
  note: { data: 'two animals', __proto__x: '' },
};

const arrays = (dtype: StoredModel['dtype'], size: number) => {
  const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: size, maxLength: size });
  return values.map((list) => (dtype === 'float32' ? Float32Array.from(list) : Float64Array.from(list, (v) => v / 3)));
};

const models: fc.Arbitrary<StoredModel> = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 4 }),
    fc.constantFrom('float32' as const, 'float64' as const),
  )
  .chain(([layers, dtype]) =>
    fc.record(
      {
        kind: fc.constant('perceptron' as const),
        dtype: fc.constant(dtype),
        network: fc.record(
          {
            layers: fc.constant(layers),
            activation: fc.oneof(
              fc.constantFrom(...ACTIVATION_NAMES),
              fc.record({ elu: fc.double({ min: 1e-3, max: 10, noNaN: true }) }, { noNullPrototype: true }),
              fc.record(
                { leakyRelu: fc.double({ noNaN: true, noDefaultInfinity: true }).map((slope) => slope + 0) },
                { noNullPrototype: true },
              ),
            ),
            loss: fc.constantFrom('softmax-cross-entropy' as const, 'squared-error' as const),
          },
          { noNullPrototype: true },
        ),
        weights: fc.tuple(...layers.slice(1).map((width, i) => arrays(dtype, width * (layers[i] ?? 0)))),
        biases: fc.tuple(...layers.slice(1).map((width) => arrays(dtype, width))),
        classes: fc.uniqueArray(fc.string(), { minLength: layers.at(-1) ?? 0, maxLength: layers.at(-1) ?? 0 }),
        note: fc.dictionary(fc.string(), fc.string(), { minKeys: 1, noNullPrototype: true }),
      },
      { requiredKeys: ['kind', 'network', 'dtype', 'weights', 'biases'], noNullPrototype: true },
    ),
  );

describe('a saved model', () => {
  property.prop([models])('is loaded as it was', (given) => {
    expect(decodeModel(encodeModel(given), 'm')).toEqual(given);
  });

  it('is loaded from its file as it was', async () => {
    const path = join(await freshFolder(), 'a model.safetensors');
    await saveModel(path, model);
    expect(await loadModelFile(path, 'perceptron')).toEqual(model);
  });

  it("has the tensors of PyTorch's nn.Sequential(Linear, ReLU, Linear)", () => {
    const { tensors, metadata } = decodeSafetensors(encodeModel(model), 'm');
    expect([...tensors].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ['0.weight', 'F32', [2, 3]],
      ['0.bias', 'F32', [2]],
      ['2.weight', 'F32', [2, 2]],
      ['2.bias', 'F32', [2]],
    ]);
    expect(JSON.parse(metadata.network ?? '')).toEqual({
      format: 1,
      layers: [3, 2, 2],
      activation: { name: 'relu' },
      loss: 'softmax-cross-entropy',
      dtype: 'float32',
      classes: ['cat', 'dög'],
    });
    expect(metadata['note.data']).toBe('two animals');
  });

  it('keeps how it standardises, what its labels and its columns are, in format 2', () => {
    const taught: StoredModel = {
      ...model,
      labelKind: 'string',
      standardisation: { mean: Float64Array.of(1, 2, 1e6 + 1 / 3), scale: Float64Array.of(1, 0, 0.1) },
      columns: [{ name: 'size' }, { name: 'colour', categories: ['blue', 'red'] }],
    };
    const bytes = encodeModel(taught);
    expect(decodeModel(bytes, 'm')).toEqual(taught);
    const { tensors, metadata } = decodeSafetensors(bytes, 'm');
    expect(JSON.parse(metadata.network ?? '')).toMatchObject({ format: 2, labelKind: 'string' });
    expect(tensors.get('standardisation.mean')).toMatchObject({ dtype: 'F64', shape: [3] });
    expect(
      JSON.parse(decodeSafetensors(encodeModel({ ...model, labelKind: 'number' }), 'm').metadata.network ?? ''),
    ).toHaveProperty('format', 1);
  });

  it('may have values of the other precision, which are written in its own', () => {
    const weights = model.weights.map((values) => Float64Array.from(values));
    expect(decodeModel(encodeModel({ ...model, weights }), 'm')).toEqual(model);
  });

  it('is what it was when saving began, though training goes on', async () => {
    const path = join(await freshFolder(), 'm');
    const weights = Float32Array.of(1);
    const saved = saveModel(path, {
      ...model,
      network: { ...model.network, layers: [1, 1] },
      weights: [weights],
      biases: [Float32Array.of(0)],
      classes: ['a'],
    });
    weights[0] = 2;
    await saved;
    expect((await loadModelFile(path, 'perceptron')).weights).toEqual([Float32Array.of(1)]);
  });
});

describe('a damaged model file', () => {
  const bytes = encodeModel(model);

  it('is refused when truncated, at every length', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeModel(bytes.subarray(0, length), 'm'), `${length} bytes`).toThrow(refusal());
    }
  });

  it('is refused when a byte is added', () => {
    expect(() => decodeModel(Uint8Array.of(...bytes, 0), 'm')).toThrow(refusal());
  });

  it('is refused when any byte is another, in any of its bits or in all', () => {
    const flips = drills(
      [1, 2, 4, 8, 16, 32, 64, 128, 255],
      Array.from({ length: 255 }, (_, i) => i + 1),
    );
    const accepted: string[] = [];
    const damaged = Uint8Array.from(bytes);
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of flips) {
        damaged[at] = (bytes[at] ?? 0) ^ flip;
        try {
          decodeModel(damaged, 'm');
          accepted.push(`byte ${at} changed by ${flip}`);
        } catch (caught) {
          if (!refusal().asymmetricMatch(caught)) throw caught;
        }
      }
      damaged[at] = bytes[at] ?? 0;
    }
    expect(accepted).toEqual([]);
  });
});

describe('loading refuses', () => {
  const network = { format: 1, layers: [2, 1], activation: { name: 'relu' }, loss: 'squared-error', dtype: 'float32' };
  const w: Tensor = { dtype: 'F32', shape: [1, 2], data: Float32Array.of(1, 2) };
  const b: Tensor = { dtype: 'F32', shape: [1], data: Float32Array.of(3) };
  const mean: Tensor = { dtype: 'F64', shape: [2], data: Float64Array.of(1, 2) };
  /** A whole safetensors file with right checksums, its content changed. */
  const load = (change: object, tensors: Record<string, Tensor> = {}, metadata: Record<string, string> = {}) => {
    const list = Object.entries({ '0.weight': w, '0.bias': b, ...tensors });
    const text = JSON.stringify({ ...network, ...change });
    return () => decodeModel(encodeSafetensors(new Map(list), { network: text, ...metadata }), 'm.st');
  };

  it('nothing of the pattern that the cases below change', () => {
    expect(load({})()).toMatchObject({ network: { layers: [2, 1] }, weights: [w.data], biases: [b.data] });
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      'a safetensors file without a network',
      () => decodeModel(encodeSafetensors(new Map(), {}), 'm.st'),
      /no "network".*importStateDict/,
    ],
    [
      'a state dict of PyTorch',
      () => decodeModel(encodeSafetensors(new Map([['0.weight', w]]), { format: 'pt' }), 'm.st'),
      /no "network".*importStateDict/,
    ],
    [
      'a checkpoint',
      () => decodeModel(encodeSafetensors(new Map(), { checksum: '0', format: 'dladmm-checkpoint-6' }), 'm.st'),
      /it is a checkpoint: resume goes on from it, loadLearner/,
    ],
    ['a network that is not JSON', load({}, {}, { network: '{' }), /JSON/],
    ['a network that is no object', load({}, {}, { network: '[1]' }), /object/],
    ['a newer format', load({ format: 5 }), /format is 5 .*newer dladmm/],
    ['no format', load({ format: undefined }), /format is undefined/],
    ['an unknown field', load({ momentum: 1 }), /momentum/],
    ['foreign metadata', load({}, {}, { author: 'x' }), /"author"/],
    ['one layer', load({ layers: [2] }), /layers/],
    ['a width of zero', load({ layers: [0, 1] }), /for layers\[0\] but received 0 /],
    ['a huge width', load({ layers: [2 ** 31, 1] }), /layers\[0\]/],
    ['layers that are no array', load({ layers: '2,1' }), /layers/],
    ['an unknown activation', load({ activation: { name: 'swish' } }), /activation.*swish/],
    ['an activation that is text', load({ activation: 'relu' }), /activation/],
    ['a slope of relu', load({ activation: { name: 'relu', slope: 1 } }), /activation/],
    ['no slope of leaky-relu', load({ activation: { name: 'leaky-relu' } }), /slope/],
    ['an unknown loss', load({ loss: 'hinges' }), /for loss but received "hinges"/],
    ['an unknown dtype', load({ dtype: 'float16' }), /expected float16/],
    ['a field of format 2 in format 1', load({ columns: [{ name: 'a' }, { name: 'b' }] }), /field of the network/],
    [
      'labels that are names without names',
      load({ format: 2, labelKind: 'string' }),
      /for classes but received undefined/,
    ],
    ['an unknown kind of labels', load({ format: 2, labelKind: 'colour' }), /for labelKind but received "colour"/],
    [
      'columns of more inputs',
      load({ format: 2, columns: [{ name: 'a', categories: ['x', 'y', 'z'] }] }),
      /for columns but received 3 /,
    ],
    ['columns of one name', load({ format: 2, columns: [{ name: 'a' }, { name: 'a' }] }), /different names/],
    ['columns that are none', load({ format: 2, columns: [{ name: 1 }, {}] }), /columns/],
    ['a mean without a scale', load({ format: 2 }, { 'standardisation.mean': mean }), /number of tensors is 3/],
    [
      'a mean for other inputs',
      load({ format: 2 }, { 'standardisation.mean': w, 'standardisation.scale': mean }),
      /standardisation\.mean is F32/,
    ],
    [
      'a negative scale',
      load(
        { format: 2 },
        { 'standardisation.mean': mean, 'standardisation.scale': { ...mean, data: Float64Array.of(1, -1) } },
      ),
      /for standardisation\.scale but received -1 /,
    ],
    [
      'a standardisation in format 1',
      load({}, { 'standardisation.mean': mean, 'standardisation.scale': mean }),
      /number of tensors is 4/,
    ],
    ['too few classes', load({ classes: [] }), /classes/],
    ['classes that are not text', load({ classes: [1] }), /classes/],
    ['a tensor of another type', load({ dtype: 'float64' }), /0\.weight is F32 \[1, 2\], expected F64/],
    [
      'a tensor of another shape',
      load({}, { '0.weight': { ...w, shape: [2, 1] } }),
      /0\.weight is F32 \[2, 1\], expected F32 \[1, 2\]/,
    ],
    ['more layers than tensors', load({ layers: [2, 1, 1] }), /number of tensors is 2/],
    ['a tensor too many', load({}, { '2.bias': b }), /number of tensors is 3/],
    ['a million layers without their tensors', load({ layers: Array(1e6).fill(1) }), /number of tensors is 2/],
    [
      'a tensor of another name',
      () =>
        decodeModel(
          encodeSafetensors(
            new Map([
              ['1.weight', w],
              ['0.bias', b],
            ]),
            { network: JSON.stringify(network) },
          ),
          'm.st',
        ),
      /0\.weight is missing/,
    ],
  ])('%s', (_, act, message) => {
    expect(act).toThrow(refusal(message));
    expect(act).toThrow(/^m\.st /);
  });

  it('nothing of many classes and columns, which take time by their number, not its square', () => {
    const many = 200_000;
    const names = Array.from({ length: many }, (_, i) => `name ${i}`);
    const tensors: Record<string, Tensor> = {
      '0.weight': { dtype: 'F32', shape: [1, many], data: new Float32Array(many) },
    };
    const columns = names.map((name) => ({ name }));
    expect(load({ format: 2, layers: [many, 1], columns }, tensors)()).toMatchObject({ columns });
    const outputs: Record<string, Tensor> = {
      '0.weight': { dtype: 'F32', shape: [many, 1], data: new Float32Array(many) },
      '0.bias': { dtype: 'F32', shape: [many], data: new Float32Array(many) },
    };
    const loss = 'softmax-cross-entropy';
    expect(load({ layers: [1, many], loss, classes: names }, outputs)()).toMatchObject({ classes: names });
  });

  it('a weight that is not finite, with its place', () => {
    const act = load({}, { '0.weight': { ...w, data: Float32Array.of(1, Number.NaN) } as Tensor });
    expect(act).toThrow(error('ERR_DLADMM_NON_FINITE', /m\.st: .*weights\[0\]\[1\] but received NaN/));
  });
});

describe('saving refuses', () => {
  const f32 = (...values: number[]) => Float32Array.from(values);
  it.each<[string, object, string, RegExp]>([
    ['too few weights', { weights: model.weights.slice(1) }, 'ERR_DLADMM_SHAPE', /6 numbers for weights\[0\]/],
    ['weights of another size', { biases: [f32(1), f32(1, 2)] }, 'ERR_DLADMM_SHAPE', /2 numbers for biases\[0\]/],
    [
      'weights that are not finite',
      { biases: [f32(0, Infinity), f32(1, 2)] },
      'ERR_DLADMM_NON_FINITE',
      /biases\[0\]\[1\] but received Infinity/,
    ],
    [
      'an unknown activation',
      { network: { ...model.network, activation: 'swish' } },
      'ERR_DLADMM_ARGUMENT',
      /activation/,
    ],
    [
      'a slope that is not finite',
      { network: { ...model.network, activation: { leakyRelu: Number.NaN } } },
      'ERR_DLADMM_RANGE',
      /leakyRelu/,
    ],
    ['an unknown loss', { network: { ...model.network, loss: 'hinges' } }, 'ERR_DLADMM_ARGUMENT', /loss/],
    ['classes that do not fit', { classes: ['a'] }, 'ERR_DLADMM_SHAPE', /classes/],
    ['a note that is not text', { note: { a: 1 } }, 'ERR_DLADMM_ARGUMENT', /note\["a"\]/],
    ['fractional widths', { network: { ...model.network, layers: [3, 2.5, 2] } }, 'ERR_DLADMM_RANGE', /layers\[1\]/],
  ])('%s, and leaves the file alone', async (_, change, code, message) => {
    const folder = await freshFolder();
    const path = join(folder, 'm');
    await writeFile(path, 'old');
    await expect(saveModel(path, { ...model, ...change } as StoredModel)).rejects.toEqual(error(code, message));
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['m']);
  });
});

describe('writing a file', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  it('takes bytes, pieces, and pieces to come', async () => {
    const path = join(await freshFolder(), 'f');
    async function* later() {
      yield bytes('x');
      yield bytes('yz');
    }
    for (const content of [bytes('xyz'), [bytes('x'), bytes(''), bytes('yz')], later()]) {
      await writeFileAtomic(path, content);
      expect(await readFile(path, 'utf8')).toBe('xyz');
    }
  });

  it('shows the old content until all of the new is there', async () => {
    const folder = await freshFolder();
    const path = join(folder, 'f');
    await writeFile(path, 'old');
    const seen: string[] = [];
    async function* pieces() {
      for (const piece of ['n', 'e', 'w']) {
        yield bytes(piece);
        seen.push(await readFile(path, 'utf8'));
      }
    }
    await writeFileAtomic(path, pieces());
    expect(seen).toEqual(['old', 'old', 'old']);
    expect(await readFile(path, 'utf8')).toBe('new');
    expect(await readdir(folder)).toEqual(['f']);
  });

  it('gives every reader one whole version while writers race', async () => {
    const path = join(await freshFolder(), 'f');
    const versions = ['a', 'b', 'c'].map((letter) => bytes(letter.repeat(300_000)));
    await writeFileAtomic(path, bytes('c'.repeat(300_000)));
    let writing = true;
    const reader = async () => {
      let reads = 0;
      for (; writing; reads++) {
        const text = await readFile(path, 'utf8');
        expect([text.length, new Set(text).size]).toEqual([300_000, 1]);
      }
      return reads;
    };
    const reads = Promise.all([reader(), reader()]);
    await Promise.all(
      versions.map(async (version) => {
        for (let i = 0; i < 10; i++) await writeFileAtomic(path, version);
      }),
    );
    writing = false;
    expect(Math.min(...(await reads))).toBeGreaterThan(0);
  });

  it.each<[string, { on: 'write' | 'sync' | 'rename'; code: string }, RegExp]>([
    ['the disk is full', { on: 'write', code: 'ENOSPC' }, /the disk is full \(ENOSPC\)/],
    ['the disk fails to sync', { on: 'sync', code: 'EIO' }, /EIO/],
    ['the rename is not allowed', { on: 'rename', code: 'EACCES' }, /permission denied/],
  ])('keeps the old file and leaves nothing behind when %s', async (_, failure, reason) => {
    const folder = await freshFolder();
    const path = join(folder, 'f');
    await writeFile(path, 'old');
    disk.failures.push(failure);
    await expect(writeFileAtomic(path, bytes('new'))).rejects.toEqual(error('ERR_DLADMM_FILE', reason));
    expect(disk.failures).toEqual([]);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['f']);
  });

  it('names the path, and the system error as its cause', async () => {
    const path = join(await freshFolder(), 'f');
    disk.failures.push({ on: 'write', code: 'ENOSPC' });
    const failure = expect.objectContaining({
      message: expect.stringContaining(path),
      cause: expect.objectContaining({ code: 'ENOSPC' }),
    });
    await expect(saveModel(path, model)).rejects.toEqual(failure);
  });

  it('passes on what the source throws, and keeps the old file', async () => {
    const folder = await freshFolder();
    const path = join(folder, 'f');
    await writeFile(path, 'old');
    const reason = new Error('source');
    function* failing() {
      yield bytes('new');
      throw reason;
    }
    await expect(writeFileAtomic(path, failing())).rejects.toBe(reason);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['f']);
  });

  it('follows a symbolic link and keeps permissions', async () => {
    const folder = await freshFolder();
    await writeFile(join(folder, 'target'), 'old');
    await chmod(join(folder, 'target'), 0o640);
    await symlink('target', join(folder, 'link'));
    await writeFileAtomic(join(folder, 'link'), bytes('new'));
    expect(await readFile(join(folder, 'target'), 'utf8')).toBe('new');
    expect((await stat(join(folder, 'target'))).mode & 0o777).toBe(0o640);
    expect((await readdir(folder)).sort()).toEqual(['link', 'target']);
  });

  it('follows a symbolic link to a file that is not there yet, and says which folder is missing', async () => {
    const folder = await freshFolder();
    await mkdir(join(folder, 'deep'));
    await symlink('deep', join(folder, 'way'));
    await symlink('../first', join(folder, 'deep', 'second'));
    await symlink('way/second', join(folder, 'first link'));
    await symlink('none/f', join(folder, 'lost'));
    await symlink('circle', join(folder, 'circle'));
    await writeFileAtomic(join(folder, 'first link'), bytes('new'));
    expect(await readFile(join(folder, 'first'), 'utf8')).toBe('new');
    expect((await lstat(join(folder, 'first link'))).isSymbolicLink()).toBe(true);
    expect((await lstat(join(folder, 'deep', 'second'))).isSymbolicLink()).toBe(true);
    await expect(writeFileAtomic(join(folder, 'lost'), bytes('new'))).rejects.toEqual(
      error('ERR_DLADMM_FILE', /lost.*does not exist/),
    );
    await expect(writeFileAtomic(join(folder, 'circle'), bytes('new'))).rejects.toEqual(
      error('ERR_DLADMM_FILE', /circle/),
    );
  });

  it('removes what a killed process has left of a file of any kind, and nothing else', async () => {
    const folder = await freshFolder();
    const others = ['.dladmm-notes.txt', '.other-0123456789abcdef.tmp', 'dladmm-0123456789abcdef.tmp'];
    for (const name of [...others, '.dladmm-0123456789abcdef.tmp', '.dladmm-checkpoint-0123456789abcdef.tmp']) {
      await writeFile(join(folder, name), 'half');
    }
    await writeFileAtomic(join(folder, 'f'), bytes('new'));
    expect((await readdir(folder)).sort()).toEqual([...others, 'f'].sort());
  });

  it('refuses a missing folder, a folder, a device, and what is no path', async () => {
    const folder = await freshFolder();
    const write = (path: unknown, content: unknown = bytes('new')) =>
      writeFileAtomic(path as string, content as Uint8Array);
    await expect(write(join(folder, 'none', 'f'))).rejects.toEqual(error('ERR_DLADMM_FILE', /none\/f.*does not exist/));
    await expect(write(folder)).rejects.toEqual(error('ERR_DLADMM_FILE', /it is a folder/));
    await expect(write('/dev/full')).rejects.toEqual(error('ERR_DLADMM_FILE', /\/dev\/full: it is not a regular file/));
    await expect(write(join(folder, 'x'.repeat(300)))).rejects.toEqual(error('ERR_DLADMM_FILE', /ENAMETOOLONG/));
    await expect(write('')).rejects.toEqual(error('ERR_DLADMM_ARGUMENT', /path/));
    await expect(write('a\0b')).rejects.toEqual(error('ERR_DLADMM_ARGUMENT', /path/));
    await expect(write(undefined)).rejects.toEqual(error('ERR_DLADMM_ARGUMENT', /path/));
    await expect(write(join(folder, 'f'), 'text')).rejects.toEqual(error('ERR_DLADMM_ARGUMENT', /content/));
    await expect(write(join(folder, 'f'), [1])).rejects.toEqual(error('ERR_DLADMM_ARGUMENT', /pieces/));
    expect(await readdir(folder)).toEqual([]);
    expect((await stat('/dev/full')).isCharacterDevice()).toBe(true);
  });
});

describe('reading a file', () => {
  it('refuses one that is missing, a folder, or without end', async () => {
    const folder = await freshFolder();
    await expect(loadModelFile(join(folder, 'none'), 'gcn')).rejects.toEqual(
      error('ERR_DLADMM_FILE', /none: .*does not exist/),
    );
    await expect(loadModelFile(folder, 'gcn')).rejects.toEqual(error('ERR_DLADMM_FILE', /it is a folder/));
    await expect(loadModelFile('/dev/zero', 'gcn')).rejects.toEqual(error('ERR_DLADMM_FILE', /not a regular file/));
  });

  it('gives all of it', async () => {
    const path = join(await freshFolder(), 'f');
    const file = await open(path, constants.O_CREAT | constants.O_WRONLY);
    await file.truncate(100_003);
    await file.close();
    expect(await readWholeFile(path)).toEqual(new Uint8Array(100_003));
  });
});
