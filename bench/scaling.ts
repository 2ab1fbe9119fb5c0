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
import { keep, measured } from './harness/results.js';
import { randomSamples, timed } from './harness/samples.js';
import { median, sum } from './harness/statistics.js';
import { combinations } from './harness/study.js';
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
  const full = [1000, 256].map((width): Case => {
    const layers = [784, width, width, 10];
    return { name: `dladmm ${layers.join('-')}, full batch`, samples, options: { layers, solver: 'dladmm' } };
  });
  const small = combinations({ batchSize: batches, solver: ['adam', 'minibatch-admm'] as const }).map((own): Case => {
    const options = { layers: [784, 1000, 1000, 10], ...own };
    const name = `${own.solver} 784-1000-1000-10, batch ${own.batchSize}`;
    return { name, samples: STEPS * own.batchSize, options };
  });
  const rows = [];
  for (const each of [...full, ...small]) {
    rows.push(await measure({ ...each, options: { dtype, ...each.options } }, rounds, threads, overhead));
    say(`${rows.at(-1)?.name}: ${JSON.stringify(rows.at(-1)?.efficiency)}`);
  }
  const cells = rows.map(({ name, aloneShare, seconds, measured, efficiency }) => [
    ...[name, `${(100 * aloneShare).toFixed(1)} %`, ...seconds.map((each) => each.toFixed(4))],
    ...[...measured.slice(1), ...SIMULATED.map((n) => efficiency[n])].map((each) => each.toFixed(3)),
  ]);
  const taken = [...threads.map((n) => `${n} threads, s`), ...threads.slice(1).map((n) => `${n} measured`)];
  const outcome = measured(
    Math.max(...threads),
    { samples, overhead, measuredThreads: threads, rows },
    table(['training', 'alone', ...taken, ...SIMULATED.map((n) => `${n} simulated`)], cells),
    `efficiency = time of one thread / (threads × their time); a round costs ${roundUs} µs, a claim ${claimUs} µs`,
  );
  if (out !== undefined) await keep(out, outcome.result);
  return outcome;
});

async function measure(its: Case, rounds: number, threads: readonly number[], overhead: Overhead) {
  const { name, samples, options } = its;
  const data = randomSamples(options.layers, samples, options.dtype);
  const limit = { iterations: 1e6, ...(options.solver === 'dladmm' && { refreshEvery: 1e6 }) };
  const begin = (threads: number): AsyncIterator<unknown> =>
    train(data, { ...limit, ...options, threads } as TrainOptions)[Symbol.asyncIterator]();
  const begun = threads.map(begin);
  const seconds = begun.map((): number[] => []);
  for (let round = -2; round < rounds; round += 1) {
    for (const [i, iterator] of begun.entries()) {
      const taken = await timed(() => iterator.next());
      if (round >= 0) seconds[i]?.push(taken.seconds); // the first two touch its memory
    }
  }
  for (const iterator of begun) await iterator.return?.();
  const one = begin(1);
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
    pieces: sum(traced.map(({ pieces }) => pieces.length)),
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
