import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { DlAdmmError } from '../../../src/core/errors.js';
import { Model } from '../../../src/model/model.js';
import { importOnnx, onnxModel } from '../../../src/model/onnx/import.js';
import { DATA_TYPE, MODEL } from '../../../src/model/onnx/schema.js';
import { encode } from '../../../src/model/onnx/wire.js';
import type { ImportOptions } from '../../../src/model/options.js';
import { node, numbers, onnx, raw, runtime, type TestNode, type TestTensor, tensor, tensorOf } from './support.js';

const x = numbers(12, 9);

/** Imports, and holds the network against what onnxruntime makes of the same bytes. */
async function agrees(bytes: Uint8Array, options: ImportOptions = {}, output?: string): Promise<Model> {
  const model = await importOnnx(bytes, options);
  const { outputs, probabilities } = model.predictSync(x);
  const got = await runtime(bytes, x, 3, output);
  const wanted = probabilities ?? outputs;
  // A sigmoid is the probability of the second of two classes.
  const second = wanted.columns === 2 && got.data.length === wanted.rows;
  const data = second ? wanted.data.filter((_: number, i: number) => i % 2 === 1) : wanted.data;
  expect(got.data.length).toBe(data.length);
  got.data.forEach((value, i) => {
    expect(value).toBeCloseTo(Number(data[i]), 5);
  });
  return model;
}

const W1 = tensor('W1', [4, 3], numbers(12, 1));
const W1T = tensor('W1', [3, 4], numbers(12, 1));
const b1 = tensor('b1', [4], numbers(4, 2));
const W2 = tensor('W2', [2, 4], numbers(8, 3));
const W2T = tensor('W2', [4, 2], numbers(8, 3));
const b2 = tensor('b2', [2], numbers(2, 4));
const gemm = { transB: 1 };

/** What torch.onnx.export makes of nn.Sequential(Linear, ReLU, Linear). */
const torch = [
  node('Gemm', ['x', 'W1', 'b1'], 'z1', gemm),
  node('Relu', ['z1'], 'a1'),
  node('Gemm', ['a1', 'W2', 'b2'], 'y', gemm),
];
const all = [W1, b1, W2, b2];
const logits: ImportOptions = { loss: 'one-hot-squared-error' };

describe('an ONNX network becomes a model that says what onnxruntime says', () => {
  it('as torch.onnx.export writes it', async () => {
    using model = await agrees(onnx(torch, all), logits);
    expect(model.network).toEqual({ layers: [3, 4, 2], activation: 'relu', loss: 'one-hot-squared-error' });
    expect(model.weights[1]).toEqual(numbers(8, 3));
  });

  it('with alpha, beta and weights that are not transposed', async () => {
    const nodes = [
      node('Gemm', ['x', 'W1', 'b1'], 'z1', { alpha: { float: 0.5 }, beta: { float: -2 } }),
      node('LeakyRelu', ['z1'], 'a1', { alpha: { float: 0.2 } }),
      node('Gemm', ['a1', 'W2'], 'y', { alpha: { float: 3 }, transA: 0 }),
    ];
    using model = await agrees(onnx(nodes, [W1T, b1, W2T]), logits);
    expect(model.network.activation).toEqual({ leakyRelu: 0.2 });
  });

  it.each<[string, unknown, readonly TestNode[]]>([
    ['Elu', 'elu', [node('Elu', ['z1'], 'a1')]],
    ['Elu with alpha', { elu: 0.25 }, [node('Elu', ['z1'], 'a1', { alpha: { float: 0.25 } })]],
    ['Softplus', 'softplus', [node('Softplus', ['z1'], 'a1')]],
    ['Gelu', 'gelu', [node('Gelu', ['z1'], 'a1')]],
    ['x · σ(x)', 'silu', [node('Sigmoid', ['z1'], 's'), node('Mul', ['s', 'z1'], 'a1')]],
    [
      'x (1 + erf(x / √2)) / 2',
      'gelu',
      [
        node('Div', ['z1', 'root'], 't'),
        node('Erf', ['t'], 'e'),
        node('Add', ['e', 'one'], 'g'),
        node('Mul', ['z1', 'g'], 'p'),
        node('Mul', ['p', 'half'], 'a1'),
      ],
    ],
  ])('with the activation %s', async (_, activation, nodes) => {
    const scalars = [['root', Math.SQRT2] as const, ['one', 1] as const, ['half', 0.5] as const].map(([name, value]) =>
      tensor(name, [], Float32Array.of(value)),
    );
    const [first, last] = [torch[0], torch[2]] as [TestNode, TestNode];
    using model = await agrees(onnx([first, ...nodes, last], [...all, ...scalars]), logits);
    expect(model.network.activation).toEqual(activation);
  });

  const scalars = { zero: 0, half: 0.5, one: 1, two: 2, tenth: 0.1, root: Math.SQRT2, scale: 1.0507 };
  const numbered = Object.entries(scalars).map(([name, value]) => tensor(name, [], Float32Array.of(value)));

  it.each<[string, unknown, readonly TestNode[]]>([
    ['Clip from 0 on', 'relu', [node('Clip', ['z1', 'zero'], 'a1')]],
    ['Max with 0', 'relu', [node('Max', ['zero', 'z1'], 'a1')]],
    ['PRelu with one slope', { leakyRelu: 0.1 }, [node('PRelu', ['z1', 'tenth'], 'a1')]],
    [
      'Where',
      { leakyRelu: 0.1 },
      [node('Less', ['z1', 'zero'], 'c'), node('Mul', ['z1', 'tenth'], 'm'), node('Where', ['c', 'm', 'z1'], 'a1')],
    ],
    [
      '1 / (1 + e⁻ˣ)',
      'sigmoid',
      [
        node('Neg', ['z1'], 'n'),
        node('Exp', ['n'], 'e'),
        node('Add', ['e', 'one'], 's'),
        node('Div', ['one', 's'], 'a1'),
      ],
    ],
    ['log(1 + eˣ)', 'softplus', [node('Exp', ['z1'], 'e'), node('Add', ['one', 'e'], 's'), node('Log', ['s'], 'a1')]],
    [
      'the half before',
      'gelu',
      [
        node('Mul', ['half', 'z1'], 'h'),
        node('Div', ['z1', 'root'], 't'),
        node('Erf', ['t'], 'e'),
        node('Add', ['e', 'one'], 'g'),
        node('Mul', ['h', 'g'], 'a1'),
      ],
    ],
    ['Selu, whose factor goes into the next layer', { elu: 1.673263 }, [node('Selu', ['z1'], 'a1')]],
    ['Celu', 'elu', [node('Celu', ['z1'], 'a1')]],
    [
      'softplus(2x) / 2, whose factors go into the layers',
      'softplus',
      [node('Mul', ['z1', 'two'], 'm'), node('Softplus', ['m'], 's'), node('Div', ['s', 'two'], 'a1')],
    ],
  ])('with an activation written as %s', async (_, activation, nodes) => {
    const [first, last] = [torch[0], torch[2]] as [TestNode, TestNode];
    using model = await agrees(onnx([first, ...nodes, last], [...all, ...numbered]), logits);
    expect(model.network.activation).toEqual(activation);
  });

  const positive = (count: number, seed: number) => numbers(count, seed).map((value) => 1 + value / 2);
  const norm = (input: string, name: string, output: string) =>
    node('BatchNormalization', [input, ...['g', 'b', 'm', 'v'].map((part) => name + part)], output, {
      epsilon: { float: 0.1 },
    });
  const normal = (name: string, width: number) =>
    ['g', 'b', 'm', 'v'].map((part, i) => tensor(name + part, [width], positive(width, 20 + i)));

  it('with batch normalisation before, between and behind the layers', async () => {
    const nodes = [
      norm('x', 'first', 'x1'),
      node('Gemm', ['x1', 'W1', 'b1'], 'z1', gemm),
      norm('z1', 'second', 'n1'),
      node('Relu', ['n1'], 'a1'),
      norm('a1', 'third', 'n2'),
      node('Dropout', ['n2'], 'd2'),
      node('Gemm', ['d2', 'W2', 'b2'], 'z2', gemm),
      norm('z2', 'fourth', 'y'),
    ];
    const norms = [...normal('first', 3), ...normal('second', 4), ...normal('third', 4), ...normal('fourth', 2)];
    using model = await agrees(onnx(nodes, [...all, ...norms]), logits);
    expect(model.network.layers).toEqual([3, 4, 2]);
  });

  it('with constants that are computed, subtracted from, and spread over a channel', async () => {
    const nodes = [
      node('Sqrt', ['var'], 'root3'),
      node('Add', ['root3', 'one'], 'std'),
      node('Unsqueeze', ['std', 'axes'], 'std2'),
      node('Sub', ['one', 'x'], 'x0'),
      node('Div', ['x0', 'std2'], 'x1'),
      torch[0] as TestNode,
    ].map((each) => ({ ...each, inputs: each.op === 'Gemm' ? ['x1', 'W1', 'b1'] : each.inputs }));
    const axes = tensorOf('axes', [1], DATA_TYPE.int64, { raw: raw(BigInt64Array.of(0n)) });
    const rest = [...torch.slice(1, 2), node('Gemm', ['a1', 'W2', 'b2'], 'y', gemm)];
    await agrees(onnx([...nodes, ...rest], [...all, ...numbered, axes, tensor('var', [3], positive(3, 5))]), logits);
  });

  const int64 = (name: string, dims: readonly number[], ...values: bigint[]) =>
    tensorOf(name, dims, DATA_TYPE.int64, { raw: raw(BigInt64Array.from(values)) });
  const [at0, at1, minus, ax, three] = [
    int64('at0', [], 0n),
    int64('at1', [], 1n),
    int64('minus', [1], -1n),
    int64('ax', [1], 0n),
    int64('three', [1], 3n),
  ];
  const shaped = [...all, at0, at1, minus, ax, three];
  const size = (axis: string) => [
    node('Shape', ['x'], `s${axis}`),
    node('Gather', [`s${axis}`, axis], `g${axis}`, { axis: 0 }),
    node('Unsqueeze', [`g${axis}`, 'ax'], `u${axis}`),
  ];
  const [, relu, second] = torch as [TestNode, TestNode, TestNode];
  const flat = [node('Gemm', ['f', 'W1', 'b1'], 'z1', gemm), relu, second];

  it.each<[string, readonly TestNode[]]>([
    [
      'x.view(x.size(0), -1)',
      [...size('at0'), node('Concat', ['uat0', 'minus'], 'to', { axis: 0 }), node('Reshape', ['x', 'to'], 'f')],
    ],
    [
      'x.view(-1, x.size(1))',
      [...size('at1'), node('Concat', ['minus', 'uat1'], 'to', { axis: 0 }), node('Reshape', ['x', 'to'], 'f')],
    ],
    [
      'x.view(x.size(0), x.size(1))',
      [
        ...size('at0'),
        ...size('at1'),
        node('Concat', ['uat0', 'uat1'], 'to', { axis: 0 }),
        node('Reshape', ['x', 'to'], 'f'),
      ],
    ],
    [
      'a slice of the shape',
      [
        node('Shape', ['x'], 's'),
        node('Slice', ['s', 'ax', 'at1'], 'n'),
        node('Concat', ['n', 'three'], 'to', { axis: 0 }),
        node('Reshape', ['x', 'to'], 'f'),
      ].map((each) => ({ ...each, inputs: each.inputs.map((name) => (name === 'at1' ? 'until' : name)) })),
    ],
  ])('flattened by a shape that the graph computes: %s', async (_, nodes) => {
    await agrees(onnx([...nodes, ...flat], [...shaped, int64('until', [1], 1n)]), logits);
  });

  it('as Keras has it: MatMul, Add, a softmax', async () => {
    const nodes = [
      node('MatMul', ['x', 'W1'], 'm1'),
      node('Add', ['m1', 'b1'], 'z1'),
      node('Tanh', ['z1'], 'a1'),
      node('MatMul', ['a1', 'W2'], 'm2'),
      node('Add', ['b2', 'm2'], 'z2'),
      node('Softmax', ['z2'], 'y', { axis: 1 }),
    ];
    using model = await agrees(onnx(nodes, [W1T, b1, W2T, b2]));
    expect(model.network).toEqual({ layers: [3, 4, 2], activation: 'tanh', loss: 'softmax-cross-entropy' });
  });

  it('with weights as constants, transposed by a node, handed on by another', async () => {
    const nodes = [
      node('Constant', [], 'C', { value: W1 }),
      node('Transpose', ['C'], 'CT', { perm: [1, 0] }),
      node('Identity', ['b1'], 'b1 again'),
      node('Flatten', ['x'], 'flat'),
      node('MatMul', ['flat', 'CT'], 'm1'),
      node('Add', ['m1', 'b1 again'], 'z1'),
      node('Sigmoid', ['z1'], 'a1'),
      node('Dropout', ['a1'], 'd1'),
      node('Gemm', ['d1', 'W2', 'b2'], 'z2', gemm),
      node('Identity', ['z2'], 'y'),
    ];
    using model = await agrees(onnx(nodes, [b1, W2, b2]), logits);
    expect(model.network.activation).toBe('sigmoid');
  });

  it('with identity between the layers, and without a hidden one', async () => {
    using linear = await agrees(
      onnx([torch[0] as TestNode, node('Gemm', ['z1', 'W2'], 'y', gemm)], [W1, b1, W2]),
      logits,
    );
    expect(linear.network.activation).toBe('identity');
    using single = await agrees(onnx([node('Gemm', ['x', 'W1', 'b1'], 'y', gemm)], [W1, b1]), logits);
    expect(single.network.layers).toEqual([3, 4]);
  });

  it('with features that are scaled first', async () => {
    const nodes = [
      node('Sub', ['x', 'mean'], 'c'),
      node('Div', ['c', 'deviation'], 's'),
      node('Mul', ['two', 's'], 't'),
      node('Add', ['t', 'shift'], 'u'),
      { ...(torch[0] as TestNode), inputs: ['u', 'W1', 'b1'] },
      ...torch.slice(1),
    ];
    const scaling = [
      tensor('mean', [3], [0.5, -1, 2]),
      tensor('deviation', [1, 3], [2, 4, 0.5]),
      tensor('two', [], [2]),
      tensor('shift', [1], [0.25]),
    ];
    using model = await agrees(onnx(nodes, [...all, ...scaling]), logits);
    expect(model.standardisation?.scale).toEqual(Float64Array.of(1, 0.5, 4));
    expect(model.weights[0]).toEqual(numbers(12, 1));
    // A negative factor is no scale: it goes into the first layer.
    const negative = scaling.map((each) => (each.name === 'two' ? tensor('two', [], [-2]) : each));
    using folded = await agrees(onnx(nodes, [...all, ...negative]), logits);
    expect(folded.standardisation).toBeUndefined();
  });

  it('with a sigmoid over one value as two classes', async () => {
    const nodes = [...torch.slice(0, 2), node('Gemm', ['a1', 'w', 'b'], 'z2', gemm), node('Sigmoid', ['z2'], 'y')];
    using model = await agrees(onnx(nodes, [W1, b1, tensor('w', [1, 4], numbers(4, 3)), tensor('b', [1], [0.5])]));
    expect(model.network).toEqual({ layers: [3, 4, 2], activation: 'relu', loss: 'softmax-cross-entropy' });
  });

  it('with the names of the classes behind it, as scikit-learn has them', async () => {
    const nodes = [
      node('Cast', ['x'], 'float', { to: 1 }),
      { ...(torch[0] as TestNode), inputs: ['float', 'W1', 'b1'] },
      ...torch.slice(1, 2),
      node('Gemm', ['a1', 'W2', 'b2'], 'z2', gemm),
      node('Softmax', ['z2'], 'y', { axis: 1 }),
      node('ArgMax', ['y'], 'best', { axis: 1 }),
      node('ArrayFeatureExtractor', ['classes', 'best'], 'label', {}, 'ai.onnx.ml'),
    ];
    const model = await importOnnx(
      onnx(nodes, [...all, tensorOf('classes', [2], DATA_TYPE.string, { strings: ['no', 'yes'] })]),
    );
    expect(model.classes).toEqual(['no', 'yes']);
    const zipped = [...nodes.slice(0, 5), node('ZipMap', ['y'], 'z', { classlabels_strings: { texts: ['a', 'b'] } })];
    expect((await importOnnx(onnx(zipped, all))).classes).toEqual(['a', 'b']);
  });

  it('with weights in any floating-point type, as raw data or not', async () => {
    const wanted = [1.5, -2, 0.25, 65504, 6e-8, 0];
    const bits = [0x3e00, 0xc000, 0x3400, 0x7bff, 0x0001, 0x8000];
    const exact = [1.5, -2, 0.25, 65504, 2 ** -24, -0];
    const forms: readonly [TestTensor, readonly number[], 'float32' | 'float64'][] = [
      [tensorOf('W', [2, 3], DATA_TYPE.float16, { raw: raw(Uint16Array.from(bits)) }), exact, 'float32'],
      [tensorOf('W', [2, 3], DATA_TYPE.float16, { int32s: bits }), exact, 'float32'],
      [
        tensorOf('W', [2, 3], DATA_TYPE.bfloat16, {
          raw: raw(Uint16Array.of(0x3fc0, 0xc000, 0x3e80, 0x4780, 0, 0x8000)),
        }),
        [1.5, -2, 0.25, 65536, 0, -0],
        'float32',
      ],
      [tensorOf('W', [2, 3], DATA_TYPE.double, { raw: raw(Float64Array.from(wanted)) }), wanted, 'float64'],
      [tensorOf('W', [2, 3], DATA_TYPE.float, { floats: [raw(Float32Array.from(exact))] }), exact, 'float32'],
    ];
    for (const [W, values, dtype] of forms) {
      const model = await importOnnx(onnx([node('Gemm', ['x', 'W'], 'y', gemm)], [W]), logits);
      expect(model.dtype).toBe(dtype);
      expect([...(model.weights[0] ?? [])]).toEqual(values);
    }
  });

  it('and in the type that is asked for', async () => {
    const model = await importOnnx(onnx(torch, all), { ...logits, dtype: 'float64' });
    expect(model.weights[0]).toEqual(Float64Array.from(numbers(12, 1)));
  });
});

const error = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('what is no multilayer perceptron is refused by the name of its node', () => {
  const refused = async (bytes: Uint8Array, message: RegExp, options: ImportOptions = logits) =>
    expect(importOnnx(bytes, options)).rejects.toThrow(error('ERR_DLADMM_FORMAT', message));
  const first = torch[0] as TestNode;

  it.each<[string, TestNode[], TestTensor[], RegExp]>([
    [
      'an activation that is not known',
      [first, node('Erf', ['z1'], 'y')],
      all,
      /"\/y\/Erf" \(Erf\) .* activation that networks here do not have; train the network with/,
    ],
    [
      'the tanh approximation of GELU',
      [first, node('Gelu', ['z1'], 'y', { approximate: { text: 'tanh' } })],
      all,
      /\(Gelu\) .* the tanh approximation of GELU; networks here have the exact one/,
    ],
    [
      'ReLU6',
      [first, node('Clip', ['z1', 'zero', 'six'], 'y')],
      [...all, tensor('zero', [], [0]), tensor('six', [], [6])],
      /\(Clip\) .* limit values to 0 … 6/,
    ],
    [
      'a convolution',
      [node('Conv', ['x', 'W1'], 'y')],
      all,
      /\(Conv\) has no place.* works on images; export the fully/,
    ],
    [
      'a layer normalisation',
      [first, node('LayerNormalization', ['z1', 'b1'], 'y')],
      all,
      /every sample by itself.*; use/,
    ],
    [
      'whole numbers',
      [node('Cast', ['x'], 'c', { to: 7 }), node('Gemm', ['c', 'W1'], 'y', gemm)],
      all,
      /\(Cast\) turns/,
    ],
    [
      'dropout as in training',
      [first, node('Dropout', ['z1', '', 'yes'], 'd'), node('Gemm', ['d', 'W2'], 'y', gemm)],
      [...all, tensorOf('yes', [], DATA_TYPE.bool, { raw: Uint8Array.of(1) })],
      /\(Dropout\) drops values at random.*model\.eval\(\)/,
    ],
    [
      'a batch normalisation as in training',
      [first, node('BatchNormalization', ['z1', 'b1', 'b1', 'b1', 'b1'], 'y', { training_mode: 1 })],
      all,
      /\(BatchNormalization\) normalises by the samples at hand.*model\.eval\(\)/,
    ],
    [
      'a shape of one sample for all',
      [node('Reshape', ['x', 'one'], 'r'), node('Gemm', ['r', 'W1'], 'y', gemm)],
      [...all, tensorOf('one', [2], DATA_TYPE.int64, { raw: raw(BigInt64Array.of(1n, -1n)) })],
      /\(Reshape\) does not keep samples as rows; .*nn\.Flatten/,
    ],
    [
      'a scale for every sample',
      [first, node('Mul', ['z1', 'S'], 'y')],
      [...all, tensor('S', [3, 4], numbers(12))],
      /\(Mul\) has 12 numbers for 4 features/,
    ],
    [
      'a scale at the end',
      [...torch.slice(0, 2), node('Mul', ['a1', 'b1'], 'y')],
      all,
      /follows the last layer.*; cut it off/,
    ],
    ['samples as columns', [node('Gemm', ['x', 'W1'], 'y', { transA: 1 })], all, /\(Gemm\) takes samples as columns/],
    ['a matrix on the left', [node('MatMul', ['W1', 'x'], 'y')], all, /\(MatMul\) takes samples as columns/],
    [
      'weights that are not there',
      [node('Gemm', ['x', 'W9'], 'y')],
      all,
      /input 1 of node "\/y\/Gemm".* is not constant/,
    ],
    ['weights left out', [node('Gemm', ['x'], 'y')], all, /should be a matrix, but their shape is left out/],
    [
      'weights that are no matrix',
      [node('MatMul', ['x', 'b1'], 'y')],
      all,
      /should be a matrix, but their shape is \[4\]/,
    ],
    ['widths that do not fit', [first, node('Gemm', ['z1', 'W1'], 'y', gemm)], all, /shares its numbers/],
    [
      'widths that do not chain',
      [first, node('MatMul', ['z1', 'W2'], 'y')],
      all,
      /takes 2 values, but node .* gives 4/,
    ],
    ['a bias of another length', [node('Gemm', ['x', 'W1', 'b2'], 'y', gemm)], all, /has shape \[2\], expected \[4\]/],
    ['two activations', [first, node('Relu', ['z1'], 'a'), node('Tanh', ['a'], 'y')], all, /\(Tanh\) has no place/],
    [
      'a gate of something else',
      [first, node('Sigmoid', ['z1'], 's'), node('Mul', ['z1', 'z1'], 'a')],
      all,
      /branch off/,
    ],
    ['an activation at the end', torch.slice(0, 2), all, /\(Relu\) follows the last layer/],
    ['no layer', [node('Identity', ['x'], 'y')], all, /no layer follows its input/],
    ['a branch', [...torch, node('Add', ['a1', 'b1'], 'q')], all, /branch off the same value/],
    ['a circle', [node('Identity', ['q'], 'x'), node('Gemm', ['x', 'W1'], 'q', gemm)], all, /branch|circle|shares/],
    ['another domain', [node('Gemm', ['x', 'W1'], 'y', gemm, 'com.microsoft')], all, /domain "com.microsoft"/],
    ['a skip', [...torch, node('Concat', ['y', 'x'], 'w', { axis: 1 })], all, /\(Concat\) has no place behind/],
    [
      'a flattened batch',
      [node('Flatten', ['x'], 'f', { axis: 0 }), node('Gemm', ['f', 'W1'], 'y', gemm)],
      all,
      /rows/,
    ],
    ['a softmax over samples', [first, node('Softmax', ['z1'], 'y', { axis: 0 })], all, /\(Softmax\) is over samples/],
    [
      'hidden layers of two kinds',
      [
        first,
        node('Relu', ['z1'], 'a1'),
        node('Gemm', ['a1', 'W2', 'b2'], 'z2', gemm),
        node('Tanh', ['z2'], 'a2'),
        node('Gemm', ['a2', 'W3'], 'y', gemm),
      ],
      [...all, tensor('W3', [1, 2], [1, 2])],
      /\(Tanh\) makes another activation than .*\(Relu\)/,
    ],
    [
      'weights in another file',
      [node('Gemm', ['x', 'W'], 'y', gemm)],
      [tensorOf('W', [4, 3], 1, { external: [new Uint8Array(3)], location: 1 })],
      /"W" lie in another file.*external_data=False/,
    ],
    [
      'weights of whole numbers',
      [node('Gemm', ['x', 'W'], 'y', gemm)],
      [tensorOf('W', [1, 3], DATA_TYPE.int64, { raw: raw(new BigInt64Array(3)) })],
      /"W" has the element type 7/,
    ],
    [
      'fewer weights than the shape says',
      [node('Gemm', ['x', 'W'], 'y', gemm)],
      [tensor('W', [1_000_000, 1_000_000], [1, 2, 3])],
      /"W" of shape \[1000000, 1000000\] has 3 values/,
    ],
  ])('%s', async (_, nodes, tensors, message) => {
    await refused(onnx(nodes, tensors), message);
  });

  it('an input of another width', async () => {
    await refused(onnx(torch, all, { input: [undefined, 5] }), /takes 3 values, but the input has 5/);
  });

  it('an output that comes from elsewhere', async () => {
    await refused(onnx(torch, all, { output: 'elsewhere' }), /its output does not follow from its last layer/);
  });

  it('weights that are not finite', async () => {
    const W = tensor('W', [1, 3], [1, Number.NaN, 3]);
    await expect(importOnnx(onnx([node('Gemm', ['x', 'W'], 'y', gemm)], [W]), logits)).rejects.toThrow(
      error('ERR_DLADMM_NON_FINITE', /weights\[0\]\[1\]/),
    );
  });

  it('a loss that contradicts the softmax', async () => {
    const nodes = [...torch.slice(0, 2), node('Gemm', ['a1', 'W2'], 'z', gemm), node('Softmax', ['z'], 'y')];
    await expect(importOnnx(onnx(nodes, all), { loss: 'hinge' })).rejects.toThrow(
      error('ERR_DLADMM_ARGUMENT', /'softmax-cross-entropy', as .* ends in a softmax/),
    );
  });

  it('logits of which nobody says what they are', async () => {
    await expect(importOnnx(onnx(torch, all))).rejects.toThrow(error('ERR_DLADMM_ARGUMENT', /Expected options\.loss/));
  });

  it('damaged metadata of dladmm itself; names of classes in another form are nobody’s concern', async () => {
    const bad = onnx(torch, all, { metadata: { 'dladmm.network': '{"loss":"mse"}' } });
    await refused(bad, /metadata dladmm\.network is damaged/);
    const foreign = onnx(torch, all, { metadata: { classes: '{0: "cat"}' } });
    expect((await importOnnx(foreign, logits)).classes).toBeUndefined();
  });

  it('a graph that doubles what it computes at every node, in no time', async () => {
    const doubled = (op: string, from: string) =>
      Array.from({ length: 60 }, (_, i) =>
        node(op, [i === 0 ? from : `${op}${i}`, i === 0 ? from : `${op}${i}`], `${op}${i + 1}`, { axis: 0 }),
      );
    await refused(onnx([first, ...doubled('Add', 'z1')], all), /\(Add\)/);
    const shape = [node('Shape', ['x'], 's'), ...doubled('Concat', 's'), node('Reshape', ['x', 'Concat60'], 'r')];
    await refused(
      onnx([...shape, node('Gemm', ['r', 'W1'], 'y', gemm)], all),
      /the shape that .* \(Reshape\) makes is not known/,
    );
    const constants = [node('Identity', ['b1'], 'c'), ...doubled('Mul', 'c'), first, node('Add', ['z1', 'Mul60'], 'y')];
    await refused(onnx(constants, [W1, tensor('b1', [4], [2, 2, 2, 2])]), /not finite/);
  });

  it('more fields than any network has', async () => {
    const nodes = Array.from({ length: 2 ** 20 }, () => ({}));
    await refused(encode(MODEL, { graphs: [{ nodes }] }), /more than 1048576 fields/);
  });

  it('no bytes, other bytes, no file', async () => {
    await refused(new Uint8Array(0), /it has 0 graphs/);
    await refused(new TextEncoder().encode('not a network at all'), /protocol buffers|graphs/);
    await expect(importOnnx('/nowhere/network.onnx')).rejects.toThrow(error('ERR_DLADMM_FILE', /nowhere/));
    // @ts-expect-error: neither a path nor bytes
    await expect(importOnnx(7)).rejects.toThrow(error('ERR_DLADMM_ARGUMENT', /a path or a Uint8Array/));
  });
});

describe('a damaged ONNX file', () => {
  const files = [
    onnx(torch, all, { metadata: { classes: '["a","b"]' } }),
    onnx(
      [
        node('Sub', ['x', 'mean'], 'c'),
        node('MatMul', ['c', 'W1'], 'm1'),
        node('Add', ['m1', 'b1'], 'z1'),
        node('LeakyRelu', ['z1'], 'a1', { alpha: { float: 0.1 } }),
        node('Reshape', ['a1', 'shape'], 'r1'),
        node('Gemm', ['r1', 'W2', 'b2'], 'z2', gemm),
        node('Softmax', ['z2'], 'y', { axis: 1 }),
        node('ZipMap', ['y'], 'z', { classlabels_strings: { texts: ['a', 'b'] } }),
      ],
      [
        W1T,
        b1,
        W2,
        b2,
        tensor('mean', [3], [1, 2, 3]),
        tensorOf('shape', [2], DATA_TYPE.int64, { raw: raw(BigInt64Array.of(-1n, 4n)) }),
      ],
    ),
    new Model({
      network: { layers: [3, 2, 2], activation: 'tanh', loss: 'softmax-cross-entropy' },
      dtype: 'float32',
      weights: [numbers(6), numbers(4)],
      biases: [numbers(2), numbers(2)],
      classes: ['a', 'b'],
    }).toOnnx(),
  ];

  /** A model, or an error of the package's own. */
  const read = (bytes: Uint8Array): 'read' | 'refused' => {
    try {
      onnxModel(bytes, 'file', { loss: 'softmax-cross-entropy' });
      return 'read';
    } catch (thrown) {
      if (!(thrown instanceof DlAdmmError)) throw thrown;
      return 'refused';
    }
  };

  it('is read while it is whole', () => {
    for (const bytes of files) expect(read(bytes)).toBe('read');
  });

  it('is refused, or means another network, when truncated at any length', () => {
    for (const bytes of files) {
      let refusals = 0;
      for (let length = 0; length < bytes.length; length += 1) {
        if (read(bytes.subarray(0, length)) === 'refused') refusals += 1;
      }
      // What stands behind the graph may be cut off.
      expect(refusals).toBeGreaterThan(bytes.length / 2);
    }
  });

  it('never does worse, whichever byte is another', () => {
    for (const bytes of files) {
      for (let at = 0; at < bytes.length; at += 1) {
        for (const value of [0, 1, 127, 128, 255, (bytes[at] ?? 0) ^ 1]) {
          const damaged = bytes.slice();
          damaged[at] = value;
          read(damaged);
        }
      }
    }
  });

  const damage = fc.tuple(
    fc.nat(files.length - 1),
    fc.array(fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255)), {
      minLength: 1,
      maxLength: 8,
    }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  );
  property.prop([damage], { numRuns: 2000 })(
    'nor with several of them, cut off at random',
    ([which, changes, share]) => {
      const whole = files[which] as Uint8Array;
      const bytes = whole.slice(0, Math.ceil(whole.length * (share < 0.5 ? 1 : share)));
      for (const [at, value] of changes) bytes[Math.floor(at * bytes.length)] = value;
      read(bytes);
    },
  );

  property.prop([fc.uint8Array({ maxLength: 200 })], { numRuns: 2000 })('nor with bytes that nobody wrote', (bytes) => {
    read(bytes);
  });
});
