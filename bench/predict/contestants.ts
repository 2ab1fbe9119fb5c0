import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { info, Model } from 'dladmm';
import { compress } from 'dladmm/compress';
import { seededRandom } from '../harness/random.js';

export const NAMES = ['dladmm predict', 'dladmm predictSync', 'dladmm int8', 'onnxruntime-node', 'tfjs wasm'] as const;
export type Name = (typeof NAMES)[number];

/** Something that answers: rows in, probabilities out, as its users call it. */
export interface Contestant {
  readonly name: string;
  readonly version: string;
  predict(x: Float32Array): Promise<ArrayLike<number>> | ArrayLike<number>;
}

/** A package of the folder, as its users require it, and its version. */
function packageIn<T>(folder: string, name: string): { readonly its: T; readonly version: string } {
  const require = createRequire(`${folder}package.json`);
  const { version } = JSON.parse(readFileSync(`${folder}node_modules/${name}/package.json`, 'utf8'));
  return { its: require(name) as T, version: String(version) };
}

/** The one of this name, with a network of these layers whose weights are the same for all. */
export async function contestantOf(name: Name, folder: string, layers: readonly number[]): Promise<Contestant> {
  const { normal } = seededRandom(1);
  const widths = layers.slice(1);
  const parameters = {
    weights: widths.map((width, i) => {
      const fanIn = layers[i] ?? 1;
      return new Float32Array(width * fanIn).map(() => normal() * Math.sqrt(2 / fanIn));
    }),
    biases: widths.map((width) => new Float32Array(width).map(() => normal() * 0.1)),
  };
  if (name === 'tfjs wasm') return tensorflow(folder, layers, parameters);
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const model = new Model({ network, dtype: 'float32', ...parameters });
  if (name === 'onnxruntime-node') return onnxruntimeNode(folder, model.toOnnx(), layers[0] ?? 1);
  const { version } = info();
  if (name === 'dladmm predict')
    return { name, version, predict: async (x) => (await model.predict(x)).probabilities?.data ?? [] };
  const its = name === 'dladmm int8' ? await rounded(model, layers[0] ?? 1) : model;
  return { name, version, predict: (x) => its.predictSync(x).probabilities?.data ?? [] };
}

/** The same model with weights and inputs of 8 bits: nothing is trained. */
async function rounded(model: Model, columns: number): Promise<Model> {
  const rows = 512;
  const x = { data: new Float32Array(rows * columns).map(seededRandom(3).uniform), rows, columns };
  const labels = Int32Array.from(model.predictSync(x).labels as ArrayLike<number>);
  const once = { quantise: 'int8', rounds: 1, steps: 0, retrain: 1 } as const;
  return (await compress(model, { x, labels }, once, { learningRate: 1e-12 })).model;
}

// What is used of the packages, which have to be installed for their own types.

interface Onnxruntime {
  readonly InferenceSession: {
    create(bytes: Uint8Array): Promise<{
      run(feeds: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
    }>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => unknown;
}

async function onnxruntimeNode(folder: string, model: Uint8Array, width: number): Promise<Contestant> {
  const { its, version } = packageIn<Onnxruntime>(folder, 'onnxruntime-node');
  const { InferenceSession, Tensor } = its;
  const session = await InferenceSession.create(model);
  return {
    name: 'onnxruntime-node',
    version,
    async predict(x) {
      const { probabilities } = await session.run({ x: new Tensor('float32', x, [x.length / width, width]) });
      return probabilities?.data ?? [];
    },
  };
}

interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}

type Operation = 'tensor2d' | 'tensor1d' | 'matMul' | 'add' | 'relu' | 'softmax' | 'tidy';
interface Tensorflow extends Readonly<Record<Operation, (...of: readonly unknown[]) => Tensor>> {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
}

async function tensorflow(
  folder: string,
  layers: readonly number[],
  { weights, biases }: { readonly weights: readonly Float32Array[]; readonly biases: readonly Float32Array[] },
): Promise<Contestant> {
  const { its: tf, version } = packageIn<Tensorflow>(folder, '@tensorflow/tfjs');
  const wasm = '@tensorflow/tfjs-backend-wasm';
  const { its: backend } = packageIn<{ setWasmPaths(folder: string): void }>(folder, wasm);
  backend.setWasmPaths(`${folder}node_modules/${wasm}/dist/`);
  if (!(await tf.setBackend('wasm'))) throw new Error('The wasm back end of TensorFlow.js does not start');
  await tf.ready();
  const W = weights.map((data, i) => tf.tensor2d(data, [layers[i + 1] ?? 0, layers[i] ?? 0]));
  const b = biases.map((data) => tf.tensor1d(data));
  const [inputs = 0] = layers;
  return {
    name: 'tfjs wasm',
    version,
    async predict(x) {
      const out = tf.tidy(() => {
        let h = tf.tensor2d(x, [x.length / inputs, inputs]);
        for (const [i, weight] of W.entries()) {
          const z = tf.add(tf.matMul(h, weight, false, true), b[i]);
          h = i + 1 < W.length ? tf.relu(z) : tf.softmax(z);
        }
        return h;
      });
      const data = await out.data();
      out.dispose();
      return data;
    },
  };
}
