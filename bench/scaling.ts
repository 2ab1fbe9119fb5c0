/**
 * How a training would scale to more threads than this machine has. One thread runs an iteration (of mini-batches some
 * steps) while every round of it is written down: what lies between rounds, and the seconds of each of its pieces. Then the
 * schedule of more threads is simulated with those times, and beside it stands what so many `--threads` take here.
 *
 * The model: what lies between rounds is done by one thread; a round takes as many threads as it has pieces and flops for
 * (one for each three million); whoever is free takes the next piece in order; a round costs so many microseconds to begin and to end
 * (--round-us) and each piece so many to be claimed, by one thread at a time (--claim-us). Sums over the tree of pieces are rounds as
 * all others, cut by sizes alone. Pieces take on many threads what they take on one, at the fastest of the rounds: what memory
 * they share is left out.
 */
import { type TrainOptions, train } from 'dladmm';
import { native } from './harness/internals.js';
import { count, counts, DTYPE, file, program, real, say } from './harness/program.js';
import { keep, machine, machineText } from './harness/results.js';
import { randomSamples, secondsOf } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { table } from './harness/table.js';
import { efficiency, fastest, type Overhead, type Round, roundsOf } from './scaling/schedule.js';

const OPTIONS = {
  samples: count(60_000),
  batches: counts('128,512,4096'),
  rounds: count(3),
  threads: counts('1,2'),
  roundUs: real(5),
  claimUs: real(0.2),
  dtype: DTYPE,
  out: file,
};

const SIMULATED = [2, 4, 8, 16, 32, 64] as const;
/** Steps of mini-batches that are looked at. */
const STEPS = 8;

interface Case {
  readonly name: string;
  readonly samples: number;
  readonly options: Partial<TrainOptions> & { readonly layers: readonly number[] };
}

await program(OPTIONS, async ({ samples, batches, rounds, threads, roundUs, claimUs, dtype, out }) => {
  const overhead: Overhead = { round: roundUs / 1e6, claim: claimUs / 1e6 };
  const full = [
    [784, 1000, 1000, 10],
    [784, 256, 256, 10],
  ].map(
    (layers): Case => ({
      name: `dladmm ${layers.join('-')}, full batch`,
      samples,
      options: { layers, solver: 'dladmm' },
    }),
  );
  const small = batches.flatMap((batchSize) =>
    (['adam', 'minibatch-admm'] as const).map(
      (solver): Case => ({
        name: `${solver} 784-1000-1000-10, batch ${batchSize}`,
        samples: STEPS * batchSize,
        options: { layers: [784, 1000, 1000, 10], solver, batchSize },
      }),
    ),
  );
  const rows = [];
  for (const each of [...full, ...small]) {
    rows.push(await measure({ ...each, options: { dtype, ...each.options } }, rounds, threads, overhead));
    say(`${rows.at(-1)?.name}: ${JSON.stringify(rows.at(-1)?.efficiency)}`);
  }
  const result = { samples, overhead, measuredThreads: threads, rows, ...machine(Math.max(...threads)) };
  if (out !== undefined) await keep(out, result);
  const text = [
    table(
      [
        'training',
        'alone',
        ...threads.map((n) => `${n} threads, s`),
        ...threads.slice(1).map((n) => `${n} measured`),
        ...SIMULATED.map((n) => `${n} simulated`),
      ],
      rows.map((row) => [
        row.name,
        `${(100 * row.aloneShare).toFixed(1)} %`,
        ...row.seconds.map((seconds) => seconds.toFixed(4)),
        ...row.measured.slice(1).map((each) => each.toFixed(3)),
        ...SIMULATED.map((n) => row.efficiency[n].toFixed(3)),
      ]),
    ),
    `efficiency = time of one thread / (threads × their time); a round costs ${roundUs} µs, a claim ${claimUs} µs`,
    machineText(result),
  ].join('\n');
  return { result, text };
});

async function measure(
  { name, samples, options }: Case,
  rounds: number,
  threads: readonly number[],
  overhead: Overhead,
) {
  const data = randomSamples(options.layers, samples, options.dtype);
  const limit = { iterations: 1e6, ...(options.solver === 'dladmm' && { refreshEvery: 1e6 }) };
  const begun = threads.map(
    (n): AsyncIterator<unknown> =>
      train(data, { ...limit, ...options, threads: n } as TrainOptions)[Symbol.asyncIterator](),
  );
  const seconds = begun.map((): number[] => []);
  for (let round = -2; round < rounds; round += 1) {
    for (const [i, iterator] of begun.entries()) {
      const taken = await secondsOf(() => iterator.next());
      if (round >= 0) seconds[i]?.push(taken); // the first two touch its memory
    }
  }
  for (const iterator of begun) await iterator.return?.();
  const one = train(data, { ...limit, ...options, threads: 1 } as TrainOptions)[Symbol.asyncIterator]();
  for (let i = 0; i < 2; i += 1) await one.next();
  const traces: (readonly Round[])[] = [];
  for (let round = 0; round < rounds; round += 1) {
    native.traceRounds(true);
    await one.next();
    traces.push(roundsOf(native.traceRounds(false)));
  }
  await one.return?.();
  const traced = fastest(traces);
  const medians = seconds.map(median);
  return {
    name,
    rounds: traced.length,
    pieces: traced.reduce((sum, { pieces }) => sum + pieces.length, 0),
    /** Share of the time in what one thread does. */
    aloneShare: efficiency(traced, 1, { round: 0, claim: 0 }).serialShare,
    seconds: medians,
    /** Time of the first number of threads over that of the others, a thread. */
    measured: medians.map((time, i) => ((medians[0] ?? 0) * (threads[0] ?? 1)) / (time * (threads[i] ?? 1))),
    efficiency: Object.fromEntries(
      SIMULATED.map((count) => [count, efficiency(traced, count, overhead).efficiency]),
    ) as Record<(typeof SIMULATED)[number], number>,
  };
}
