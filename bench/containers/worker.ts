/** Trains by request, several at once where that is asked, and holds many models. */
import { readFile } from 'node:fs/promises';
import { Model, type TrainOptions, train } from 'dladmm';
import { answer } from '../harness/child.js';
import { classesOf, randomSamples, uniform } from '../harness/samples.js';
import { sum } from '../harness/statistics.js';

/** What is trained; without `threads` among the options as many as the package takes. */
export interface Work {
  readonly data: 'iris' | 'digits' | 'random';
  readonly options: Partial<TrainOptions> & { readonly layers: readonly number[] };
}

export type WorkerRequest =
  | { readonly kind: 'open'; readonly name: string; readonly work: Work }
  /** Goes on with trainings, all at once: so many iterations each, or as many as there is time for. */
  | { readonly kind: 'run'; readonly names: readonly string[]; readonly iterations?: number; readonly seconds?: number }
  | { readonly kind: 'models'; readonly count: number; readonly layers: readonly number[] };

export type RunReply = Awaited<ReturnType<typeof run>>;
export type ModelsReply = Awaited<ReturnType<typeof models>>;

const SAMPLES = 4000;

const trainings = new Map<string, AsyncIterator<unknown>>();

answer<WorkerRequest, RunReply | ModelsReply | 'ready'>(async (request) => {
  if (request.kind === 'run') return run(request);
  if (request.kind === 'models') return models(request.count, request.layers);
  await open(request.name, request.work);
  return 'ready';
});

async function open(name: string, { data, options }: Work): Promise<void> {
  const samples = data === 'random' ? randomSamples(options.layers, SAMPLES) : (await classesOf(data)).train;
  const training = train(samples, { iterations: 1e6, ...options } as TrainOptions)[Symbol.asyncIterator]();
  trainings.set(name, training);
  await training.next(); // touches its memory
}

async function run({ names, ...limits }: Extract<WorkerRequest, { kind: 'run' }>) {
  const { iterations = Number.POSITIVE_INFINITY, seconds = Number.POSITIVE_INFINITY } = limits;
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1000;
  const counts = await Promise.all(
    names.map(async (name) => {
      let done = 0;
      while (done < iterations && elapsed() < seconds) {
        await trainings.get(name)?.next();
        done += 1;
      }
      return done;
    }),
  );
  return { seconds: elapsed(), iterations: sum(counts) };
}

/** Models that have all answered once, and stay. */
async function models(count: number, layers: readonly number[]) {
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const widths = layers.slice(1);
  const weights = widths.map((width, i) => uniform(width * (layers[i] ?? 0), 'float32') as Float32Array);
  const biases = widths.map((width) => uniform(width, 'float32') as Float32Array);
  const copies = (of: readonly Float32Array[]): Float32Array[] => of.map((each) => each.slice());
  const parameters = Array.from({ length: count }, () => ({ weights: copies(weights), biases: copies(biases) }));
  const before = await status();
  const all = parameters.map((each) => new Model({ network, dtype: 'float32', ...each }));
  const x = uniform(64 * (layers[0] ?? 0), 'float32');
  for (const model of all) await model.predict(x);
  const after = await status();
  const bytes = parameters.flatMap(({ weights, biases }) => [...weights, ...biases]).map((each) => each.byteLength);
  return {
    /** Threads of the process beyond those that it had before its first prediction. */
    threads: after.threads - before.threads,
    /** Of all parameters. */
    weightBytes: sum(bytes),
    /** What the process grew by since there were only the parameters as its caller made them. */
    grownBytes: after.bytes - before.bytes,
  };
}

async function status() {
  const text = await readFile('/proc/self/status', 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  return { threads: field('Threads'), bytes: field('VmRSS') * 1024 };
}
