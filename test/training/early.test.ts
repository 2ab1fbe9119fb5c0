import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { DlAdmmError, fit as fitModel, Model, type TrainingData } from '../../src/index.js';
import { slowly } from '../samples/support.js';

// Everything that a model, its file or its export can be refused for is refused before the first iteration.

const x = Array.from({ length: 30 }, (_, i) => [i % 7, i % 5]);
const labels = x.map(([a = 0]) => a % 2);
const records = x.map(([a, b], i) => ({ a, b, label: labels[i] as number, kind: i % 2 ? 'p' : 'q' }));
const table = (names: readonly string[]) => ({
  numRows: x.length,
  schema: { fields: names.map((name) => ({ name })) },
  getChild: (name: string) => ({ length: x.length, toArray: () => (name === 'label' ? labels : x.map(([a]) => a)) }),
});
const y = x.map(([a = 0]) => a);

/** Where each error of the model's end is raised at the start: the data and the options that would lead to it. */
const CASES: Readonly<Record<string, readonly [data: unknown, options?: object]>> = {
  // checkTaught: the network
  'layers that are none': [{ x, labels }, { layers: [2] }],
  'an activation that is none': [{ x, labels }, { activation: 'rule' }],
  'a loss that is none': [{ x, labels }, { loss: 'mse' }],
  'a type that is none': [{ x, labels }, { dtype: 'float16' }],
  'more threads than there may be': [{ x, labels }, { threads: 2 ** 20 }],
  // checkClasses
  'classes that are no names': [{ x, labels }, { classes: [1, 2] }],
  'classes too many': [{ x, labels }, { classes: ['a', 'b', 'c'] }],
  'classes of one name': [{ x, labels }, { classes: ['a', 'a'] }],
  'classes of one name, beside the samples': [{ x, labels, classes: ['a', 'a'] }],
  'classes too many, in the labels': [{ x, labels: x.map((_, i) => `c${i % 3}`) }],
  'classes whose names no file holds': [{ x, labels }, { classes: ['a', 'b'.repeat(100_000_000)] }],
  // checkColumns
  'two columns of one name': [{ x, labels, columns: ['x', 'x'] }],
  'two columns of one name, in a table': [{ x: table(['x', 'x', 'label']), labels: 'label' }],
  'two columns of one name, in a stream': [{ x: slowly(x), labels, columns: ['x', 'x'] }],
  'a column without a name': [{ x, labels, columns: ['x', 7] }],
  'a column with a key that it has not': [{ x, labels, columns: ['x', { name: 'y', kind: 'number' }] }],
  'a column without categories': [{ x, labels, columns: ['x', { name: 'y', categories: [] }] }],
  'a column with a category twice': [{ x, labels, columns: [{ name: 'y', categories: ['p', 'p'] }] }],
  'columns of other inputs': [{ x, labels, columns: ['x'] }],
  'columns that are no array': [{ x, labels, columns: 'x' }],
  // checkStandardisation: a rule that is not finite
  'features that cannot be scaled': [{ x: [[1e308, 1], [-1e308, 2]], labels: [0, 1] }, { standardise: true }], // biome-ignore format: one line
  'targets that cannot be scaled': [{ x: [[1, 1], [1, 2]], y: [1e308, -1e308] }, { layers: [2, 1], loss: 'squared-error' }], // biome-ignore format: one line
  'targets that are not finite': [
    { x, y: y.with(3, Number.NaN) },
    { layers: [2, 1], loss: 'squared-error' },
  ],
  // checkParameters: what parameters begin with
  'parameters of other widths': [
    { x, labels },
    { initialisation: { weights: [new Float32Array(3)], biases: [new Float32Array(2)] } },
  ],
  'parameters that are not finite': [
    { x, labels },
    { initialisation: { weights: [new Float32Array(4).fill(Number.NaN)], biases: [new Float32Array(2)] } },
  ],
  // evaluation sets, which are read last
  'a validation set with a class that is none': [{ x, labels, validation: { x, labels: labels.with(0, 2) } }],
  'a test set of other inputs': [{ x, labels, test: { x: x.map(([a]) => [a]), labels } }],
  'a test set without its columns': [
    { x: records, labels: 'label', texts: 'one-hot', test: { x: [{ a: 1, label: 0 }], labels: 'label' } },
    { layers: [4, 2] },
  ],
  // checkNetwork
  'a layer without neurons': [{ x, labels }, { layers: [2, 0, 2] }],
  'layers that are no array': [{ x, labels }, { layers: '2-2' }],
  'a slope that is not finite': [
    { x, labels },
    { layers: [2, 3, 2], activation: { leakyRelu: Number.NaN } },
  ],
  'an ELU that falls': [
    { x, labels },
    { layers: [2, 3, 2], activation: { elu: -1 } },
  ],
  'a width of another loss': [{ x, labels }, { delta: 1 }],
  'a quantile that is none': [
    { x, y },
    { layers: [2, 1], loss: 'quantile', quantile: 2 },
  ],
  // checkParameters
  'parameters that are no arrays': [{ x, labels }, { initialisation: { weights: 1, biases: [new Float32Array(2)] } }],
  'parameters of more layers': [
    { x, labels },
    { initialisation: { weights: [new Float32Array(4), new Float32Array(4)], biases: [new Float32Array(2)] } },
  ],
  'parameters that are no typed arrays': [
    { x, labels },
    { initialisation: { weights: [[1, 2, 3, 4]], biases: [new Float32Array(2)] } },
  ],
  // what is written as the training goes
  'a checkpoint that cannot be written': [{ x, labels }, { checkpoint: { path: '/nowhere/at/all.checkpoint' } }],
  'a checkpoint without a name': [{ x, labels }, { checkpoint: { path: '' } }],
  'a checkpoint with a zero byte in its name': [{ x, labels }, { checkpoint: { path: 'a\0b' } }],
  'a checkpoint in the place of another file': [{ x, labels }, { checkpoint: { path: import.meta.filename } }],
  'a checkpoint that could not be read again': [
    { x, labels },
    { classes: ['a', 'b'.repeat(60_000_000)], checkpoint: { path: join(tmpdir(), 'dladmm-never.checkpoint') } },
  ],
};

describe('is refused before the first iteration:', () => {
  test.each(Object.entries(CASES))('%s', async (_, [data, options]) => {
    const onIteration = vi.fn();
    const all = { layers: [2, 2], iterations: 3, threads: 1, onIteration, ...options };
    await expect(fitModel(data as TrainingData, all as never)).rejects.toBeInstanceOf(DlAdmmError);
    expect(onIteration).not.toHaveBeenCalled();
  });
});

test('what is left to be refused at the end says nothing of the training: its model is there', async () => {
  const { model } = await fitModel({ x, labels }, { layers: [2, 2], iterations: 1, threads: 1, dtype: 'float64' });
  const refused = (act: () => unknown) => expect(act).toThrow(DlAdmmError);
  refused(() => model.toOnnx({ opset: 3 } as never));
  refused(() => model.toOnnx({ output: 'labels' } as never));
  refused(() => model.toOnnx({ outputs: 1 } as never));
  refused(() => model.toOnnx({ encoders: 'yes' } as never));
  // There are none, as this model takes rows of numbers; and those of a date ONNX has no operators for.
  refused(() => model.toOnnx({ encoders: true }));
  await expect(model.save('/nowhere/at/all.safetensors')).rejects.toMatchObject({ code: 'ERR_DLADMM_FILE' });
  await expect(model.save('model.safetensors', { note: 1 } as never)).rejects.toThrow(DlAdmmError);
  await expect(model.save('')).rejects.toMatchObject({ code: 'ERR_DLADMM_ARGUMENT' });
  await expect(model.save('a\0b')).rejects.toMatchObject({ code: 'ERR_DLADMM_ARGUMENT' });
  await expect(model.save(tmpdir())).rejects.toMatchObject({ code: 'ERR_DLADMM_FILE' });
  await expect(model.save(import.meta.filename)).rejects.toMatchObject({ code: 'ERR_DLADMM_FILE' });
  await expect(model.save('m', { long: 'n'.repeat(100_000_001) })).rejects.toMatchObject({ code: 'ERR_DLADMM_RANGE' });
  // A float64 that float32 has not: ONNX is written in that type.
  const { network, dtype, biases } = model;
  const large = new Model({ network, dtype, biases, weights: [Float64Array.of(1e300, 0, 0, 0)] });
  refused(() => large.toOnnx());
  expect((await model.predict(x)).labels).toHaveLength(x.length);
});

test('a key that no part of a model has is refused, by its name', async () => {
  const { model } = await fitModel({ x, labels }, { layers: [2, 2], iterations: 1, threads: 1 });
  const { network, dtype, weights, biases } = model;
  const parts = { network, dtype, weights, biases };
  const refuses = (more: object, message: RegExp) => expect(() => new Model({ ...parts, ...more })).toThrow(message);
  refuses({ bias: biases }, /received bias.*did you mean biases\?/);
  refuses({ network: { ...network, activations: 'relu' } }, /received activations.*did you mean activation\?/);
  const ones = new Float64Array(2).fill(1);
  refuses({ standardisation: { mean: ones, scale: ones, deviation: ones } }, /received deviation/);
  refuses({ standardisation: { mean: ones } }, /standardisation\.scale/);
  refuses({ targetStandardisation: { mean: ones, scale: ones } }, /targetStandardisation/);
  refuses({ classes: ['a', 'a'] }, /name of its own/);
  refuses({ labelKind: 'string' }, /labelKind/);
  refuses({ classes: ['a', 'b'], labelKind: 'value' }, /whole numbers, as labelKind is value/);
  const three = {
    network: { ...network, layers: [2, 3] },
    weights: [new Float32Array(6)],
    biases: [new Float32Array(3)],
  };
  refuses({ ...three, classes: ['a', 'b', 'c'], labelKind: 'boolean' }, /two classes, as labelKind is boolean/);
  refuses({ columns: ['a', 'b'] }, /columns/);
  refuses({ threshold: 2 }, /a probability from 0 to 1.*threshold/);
  refuses({ network: { ...network, loss: 'hinge' }, threshold: 0.5 }, /threshold/);
  refuses({ note: { run: 7 } }, /a string for note/);
  refuses({ target: 7 }, /the name of a column, or an array of names for target/);
  refuses({ target: [] }, /an array of names for target/);
  const calibration = { slope: [1], offset: [0] };
  refuses({ calibration }, /none for softmax-cross-entropy for calibration/);
  const hinge = { ...network, loss: 'hinge' };
  refuses({ network: hinge, calibration: { slope: [1] } }, /slope, offset/);
  refuses(
    { network: hinge, calibration: { slope: [Number.NaN], offset: [0] } },
    /1 finite numbers for calibration\.slope/,
  );
  refuses({ network: hinge, calibration: { ...calibration, bias: 1 } }, /received bias/);
  expect(new Model({ ...parts, network: hinge, calibration, threshold: 0.4 } as never).threshold).toBe(0.4);
});

/**
 * The places in the source where something is refused as a model is made, written or exported. A new one needs a case above, of
 * how it is refused at the start, or a line in the test of what is left.
 */
const PLACES: Readonly<Record<string, number>> = {
  'model/parts.ts': 11, // a grid of weights: test/model/quantisation.test.ts
  'judging/calibration.ts': 3,
  'model/onnx/export.ts': 2,
  'model/onnx/draft.ts': 1,
  'samples/columns.ts': 4,
  'network/standardisation.ts': 2,
  'network/network.ts': 12,
  'network/parameters.ts': 5,
  'network/graph-initialisation.ts': 2,
  'model/onnx/encoders.ts': 2,
  'formats/atomic-file.ts': 13,
  'formats/safetensors.ts': 9,
};

test.each(Object.entries(PLACES))('every refusal of %s has its case', (file, count) => {
  const source = readFileSync(join(import.meta.dirname, '../../src', file), 'utf8');
  // What reads files has its own tests.
  const [writing] = source.split(/^\/\/ -+ reading$/m);
  expect(writing?.match(/\bthrow\b/g)).toHaveLength(count);
});
