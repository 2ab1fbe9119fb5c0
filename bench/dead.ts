/**
 * Whether a training with dead features slows down: what belongs to them shrinks at every step, and arithmetic on numbers below the least normal one
 * takes a hundred times as long. Seconds a step of a training that has made so many steps, over those of one that has just begun, by turns.
 */
import { type TrainOptions, train } from 'dladmm';
import { count, layers, program, THREADS } from './harness/program.js';
import { measured } from './harness/results.js';
import { byRounds, randomSamples, ratioOf } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { table } from './harness/table.js';

const SIZES = { layers: layers('784-100-10'), samples: count(128), steps: count(3000), threads: THREADS };
const OPTIONS = { ...SIZES, rounds: count(9), timed: count(100) };
/** One step an epoch: all samples are one batch. */
const WITH = {
  sgd: { l2: 0.2, learningRate: 0.5 },
  adam: { loss: 'hinge' },
  nadamw: {},
  muon: {},
  soap: { l2: 0.2 },
  badm: { l2: 0.2 },
  'minibatch-admm': { l2: 0.2 },
  dladmm: { l2: 0.2 },
} as const;
/** Steps that touch the memory of what has just begun. */
const FIRST = 10;

await program(OPTIONS, async ({ layers, samples, steps, threads, rounds, timed }) => {
  const data = randomSamples(layers, samples);
  const inputs = layers[0] ?? 1;
  for (let i = 0; i < data.x.length; i += 1) if (i % inputs >= inputs / 2) data.x[i] = 0;
  const found = [];
  for (const [solver, options] of Object.entries(WITH)) {
    const length = solver === 'dladmm' ? { iterations: 1e6 } : { epochs: 1e6, batchSize: samples };
    const begin = () =>
      train(data, { solver, layers, threads, ...length, ...options } as TrainOptions)[Symbol.asyncIterator]();
    type Training = ReturnType<typeof begin>;
    const go = async (training: Training, many: number): Promise<number> => {
      const began = performance.now();
      for (let step = 0; step < many; step += 1) await training.next();
      return (performance.now() - began) / many;
    };
    const old = begin();
    await go(old, steps);
    const [late = [], early = []] = await byRounds(
      [
        () => go(old, timed),
        async () => {
          const young = begin();
          await go(young, FIRST);
          return go(young, timed).finally(() => young.return?.());
        },
      ],
      (round) => round < rounds,
    );
    await old.return?.();
    found.push({ solver, earlyMs: median(early), lateMs: median(late), ratio: ratioOf(late, early) });
  }
  const rows = found.map((each) => [
    each.solver,
    each.earlyMs.toFixed(3),
    each.lateMs.toFixed(3),
    each.ratio.toFixed(3),
  ]);
  const head = ['solver', `steps ${FIRST}–${FIRST + timed}, ms`, `from step ${steps} on, ms`, 'ratio'];
  return measured(
    threads,
    { layers: layers.join('-'), samples, steps, rounds, solvers: found },
    `${layers.join('-')}, ${samples} samples, half of the features dead, ${rounds} rounds of ${timed} steps`,
    table(head, rows),
  );
});
