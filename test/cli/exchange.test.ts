import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../../src/formats/safetensors.js';
import { Model } from '../../src/model/model.js';
import { runtime } from '../model/onnx/support.js';
import { inFolder } from './support.js';

const { path, run } = inFolder();
const train = (...args: string[]) =>
  run('train', '--data', 'iris', '--solver', 'adam', '--learning-rate', '0.01', '--quiet', ...args);

describe('dladmm export and import', () => {
  it('write ONNX that other tools read, and read it back', async () => {
    expect(await train('--epochs', '20', '--save', 'iris.safetensors')).toMatchObject({ code: 0 });
    const exported = await run('export', 'iris.safetensors', '--to', 'iris.onnx');
    expect(exported).toMatchObject({ code: 0, out: '4-32-3, relu, softmax-cross-entropy written to iris.onnx\n' });
    using model = await Model.load(path('iris.safetensors'));
    const x = Float32Array.of(5.1, 3.5, 1.4, 0.2, 6, 3, 4.8, 1.8);
    const got = await runtime(await readFile(path('iris.onnx')), x, 4);
    const wanted = model.predictSync(x).probabilities?.data ?? [];
    got.data.forEach((value, i) => {
      expect(value).toBeCloseTo(Number(wanted[i]), 5);
    });

    expect(await run('import', 'iris.onnx', '--to', 'back.safetensors')).toMatchObject({ code: 0 });
    using back = await Model.load(path('back.safetensors'));
    expect(back.classes).toEqual(model.classes);
    expect(back.predictSync(x).labels).toEqual(['setosa', 'virginica']);
    back.predictSync(x).outputs.data.forEach((value, i) => {
      expect(value).toBeCloseTo(Number(model.predictSync(x).outputs.data[i]), 4);
    });
  });

  it('--output and --opset say what is written', async () => {
    await run('export', 'iris.safetensors', '--to', 'logits.onnx', '--output', 'outputs', '--opset', '17');
    const x = Float32Array.of(5.1, 3.5, 1.4, 0.2);
    const got = await runtime(await readFile(path('logits.onnx')), x, 4);
    expect(got.name).toBe('outputs');
    const odd = await run('export', 'iris.safetensors', '--to', 'x.onnx', '--opset', '5');
    expect(odd).toMatchObject({ code: 1, err: expect.stringContaining('from 13 to 26') });
  });

  it('make a model of a state dict', async () => {
    const tensors = new Map([
      ['fc1.weight', { dtype: 'F32', shape: [2, 4], data: new Float32Array(8).fill(0.5) }],
      ['head.weight', { dtype: 'F32', shape: [3, 2], data: new Float32Array(6).fill(0.25) }],
    ] as const);
    await writeFile(path('state.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
    const args = ['--activation', 'leaky-relu:0.1', '--order', 'fc1,head', '--classes', 'a,b,c'];
    const done = await run('import', 'state.safetensors', '--to', 'torch.safetensors', ...args);
    expect(done).toMatchObject({ code: 0, out: expect.stringContaining('4-2-3, leaky-relu:0.1') });
    const { network, classes } = await Model.load(path('torch.safetensors'));
    expect([network.activation, classes]).toEqual([{ leakyRelu: 0.1 }, ['a', 'b', 'c']]);
  });

  it.each([
    ['what is no network', ['import', 'noise', '--to', 'x'], /noise/],
    ['a model of its own', ['import', 'iris.safetensors', '--to', 'x'], /is a model of dladmm/],
    ['flags of the other kind', ['import', 'iris.onnx', '--to', 'x', '--order', 'a,b'], /no --order with iris\.onnx/],
    ['the file itself as the target', ['export', 'iris.safetensors', '--to', 'iris.safetensors'], /iris\.safetensors/],
    ['a missing file', ['export', 'none.safetensors', '--to', 'x.onnx'], /none\.safetensors/],
  ])('refuse %s', async (_, args, message) => {
    await writeFile(path('noise'), 'nothing that anybody could read as a network');
    const { code, err } = await run(...args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});

describe('dladmm train --from', () => {
  it('takes the columns of a file by the names that the model knows', async () => {
    const table = (order: readonly ('u' | 'v')[]) => {
      const row = (i: number) => ({ u: Math.sin(i), v: Math.cos(3 * i) });
      const lines = Array.from({ length: 200 }, (_, i) => [...order.map((name) => row(i)[name].toFixed(3)), row(i).u > 0 ? 'cat' : 'dog']); // biome-ignore format: one line
      return `${[[...order, 'label'], ...lines].map((line) => line.join(',')).join('\n')}\n`;
    };
    await writeFile(path('uv.csv'), table(['u', 'v']));
    await writeFile(path('vu.csv'), table(['v', 'u']));
    const still = ['--solver', 'adam', '--quiet', '--test-share', '0'];
    await run('train', 'uv.csv', '--epochs', '40', '--learning-rate', '0.02', '--save', 'uv.safetensors', ...still);
    const judged = async (model: string) => JSON.parse((await run('evaluate', model, 'vu.csv', '--json')).out).accuracy;
    expect(await judged('uv.safetensors')).toBeGreaterThan(0.95);
    const going = ['--from', 'uv.safetensors', '--epochs', '1', '--learning-rate', '1e-9', '--save', 'on.safetensors'];
    expect(await run('train', 'vu.csv', ...going, ...still)).toMatchObject({ code: 0 });
    expect(await judged('on.safetensors')).toBe(await judged('uv.safetensors'));
  });

  it('goes on to predict what the model predicts, wherever that stands', async () => {
    const lines = Array.from({ length: 100 }, (_, i) => `${i % 2 ? 'cat' : 'dog'},${Math.sin(i)},${i % 3}`);
    await writeFile(path('first.csv'), `kind,u,v\n${lines.join('\n')}\n`);
    const told = ['train', 'first.csv', '--solver', 'adam', '--epochs', '1', '--quiet'];
    expect((await run(...told, '--target', 'kind', '--save', 'kind.safetensors')).code).toBe(0);
    expect((await run('export', 'kind.safetensors', '--to', 'kind.onnx')).code).toBe(0);
    expect((await run('import', 'kind.onnx', '--to', 'back.safetensors')).code).toBe(0);
    for (const from of ['kind', 'back'].map((name) => `${name}.safetensors`)) {
      expect(JSON.parse((await run('evaluate', from, 'first.csv', '--json')).out)).toHaveProperty('accuracy');
      expect(await run(...told, '--from', from, '--test-share', '0.2', '--save', 'on.safetensors')).toMatchObject({
        code: 0,
      });
      using on = await Model.load(path('on.safetensors'));
      expect(on).toMatchObject({ target: 'kind', classes: ['cat', 'dog'] });
    }
  });

  it('goes on where the model is, on standardised features too', async () => {
    await train('--epochs', '40', '--save', 'a.safetensors');
    using before = await Model.load(path('a.safetensors'));
    for (const flag of ['--standardize', '--no-standardize']) {
      // A step of no size leaves the network what it was.
      await train(
        '--from',
        'a.safetensors',
        flag,
        '--epochs',
        '1',
        '--learning-rate',
        '1e-12',
        '--save',
        'b.safetensors',
      );
      using after = await Model.load(path('b.safetensors'));
      expect(after.network).toEqual(before.network);
      const x = [5.1, 3.5, 1.4, 0.2];
      const wanted = before.predictSync(x).outputs;
      after.predictSync(x).outputs.forEach((value, i) => {
        expect(value, flag).toBeCloseTo(Number(wanted[i]), 3);
      });
    }
  });

  it('refuses a start of its own, other widths, and other classes', async () => {
    const refusals: readonly [string[], RegExp][] = [
      [['--init', 'he'], /no --init with --from/],
      [['--layers', '4-8-3'], /4-32-3 for --layers, as in a\.safetensors/],
    ];
    for (const [args, message] of refusals) {
      expect(await train('--from', 'a.safetensors', ...args)).toMatchObject({
        code: 1,
        err: expect.stringMatching(message),
      });
    }
    using model = await Model.load(path('a.safetensors'));
    const { network, dtype, weights, biases } = model;
    await new Model({ network, dtype, weights, biases, classes: ['x', 'y', 'z'] }).save(path('other.safetensors'));
    expect(await train('--from', 'other.safetensors')).toMatchObject({
      code: 1,
      err: expect.stringContaining('the classes x, y, z'),
    });
  });
});
