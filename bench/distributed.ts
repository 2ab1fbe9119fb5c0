/**
 * One training on many processes: what two ranks of one thread take beside one process of two, how far the iterates of several ranks are from
 * those of one process, what is added up over the ranks, and what follows for as many as 1,024 by latency and bandwidth as measured here.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RankReply, RankRequest } from './distributed/rank.js';
import { count, layers, program, say, text } from './harness/program.js';
import { fromRoot } from './harness/results.js';
import { table } from './harness/table.js';

const OPTIONS = {
  layers: layers('784-1000-1000-10'),
  samples: count(60_000),
  iterations: count(4, 3),
  mpirun: text('mpirun --allow-run-as-root --oversubscribe --bind-to none --mca mpi_yield_when_idle 1'),
};

/** Full batch, and batches a rank. */
const RANKS = [4, 16, 64, 256, 1024];
const FULL = 1e9;
const BATCHES = [512, 8192];

interface Traffic {
  readonly calls: number;
  readonly bytes: number;
}

/**
 * What an iteration of dlADMM adds up over the ranks where XᵀX is kept and L is 2 at least: each gradient of W_l twice, of W_1 once; nine
 * scalars, and sums of columns n_l wide, about six times a layer; five largest of two, and three numbers by which all go on together. A
 * number of a gradient has `size` bytes, the others have 8.
 */
function trafficOf(widths: readonly number[], size: number): Traffic {
  const L = widths.length - 1;
  const n = (l: number): number => widths[l] ?? 0;
  const inner = widths.slice(2, L);
  const gradients = widths.slice(2).reduce((sum, width, l) => sum + 2 * width * n(l + 1), n(1) * n(0));
  const columns = 7 * n(L) + 6 * inner.reduce((sum, width) => sum + width, 0) + 2 * n(1);
  const [products, scalars, sums] = [2 * L - 1, 6 * L - 5, 6 * L - 3];
  return {
    calls: products + scalars + sums + 5 + 1,
    bytes: size * gradients + 8 * (9 * scalars + columns + 5 * 2 + 3),
  };
}

await program(OPTIONS, async ({ layers: widths, samples, iterations, mpirun }) => {
  const [launcher = '', ...words] = mpirun.split(' ');
  const ask = async (ranks: number, more: Partial<RankRequest>): Promise<RankReply> => {
    const request: RankRequest = {
      ...{ layers: widths, samples, iterations, dtype: 'float32', threads: 1, distributed: ranks > 0 },
      ...more,
    };
    const own = [process.execPath, fromRoot('dist/bench/distributed/rank.js'), JSON.stringify(request)];
    const [command = '', ...args] = ranks > 0 ? [launcher, ...words, '-n', String(ranks), ...own] : own;
    const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 2 ** 28 });
    return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as RankReply;
  };

  const small = { layers: [12, 24, 16, 5], samples: 1000, iterations: 20, dtype: 'float64' } as const;
  const { parameters: expected } = await ask(0, small);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  let deviation = 0;
  for (const ranks of [1, 2, 3, 4]) {
    const { parameters } = await ask(ranks, small);
    const far = parameters.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] ?? Number.NaN))), 0);
    say(`${ranks} ranks: ${(far / largest).toExponential(1)} from one process`);
    deviation = Math.max(deviation, far / largest);
  }

  const alone = await ask(0, { threads: 2 });
  const two = await ask(2, {});
  const efficiency = alone.seconds / two.seconds;
  const formula = trafficOf(widths, 4);
  const { latency, secondsPerByte } = two;
  const perSample = (2 * alone.seconds) / samples;
  const shared = (ranks: number, { calls, bytes }: Traffic): number =>
    2 * calls * latency * Math.log2(ranks) + 2 * bytes * secondsPerByte * (1 - 1 / ranks);
  const efficient = (ranks: number, batch: number, sums: Traffic): number => {
    const seconds = batch * perSample;
    return seconds / (seconds + shared(ranks, sums));
  };
  // A step on a batch adds up each gradient once.
  const gradient = { calls: widths.length - 1, bytes: 4 * parametersOf(widths) };
  const simulated = RANKS.flatMap((ranks) => [
    { ranks, batch: 'full', efficiency: efficient(ranks, FULL / ranks, formula) },
    ...BATCHES.map((batch) => ({ ranks, batch, efficiency: efficient(ranks, batch, gradient) })),
  ]);
  const result = {
    ...{ layers: widths.join('-'), samples, seconds: { alone: alone.seconds, two: two.seconds } },
    ...{ calls: two.calls, bytes: two.bytes, formula, latency, secondsPerByte },
    ...{ efficiency, deviation, simulated },
  };
  return {
    result,
    text: table(
      ['ranks', 'samples a rank', 'efficiency'],
      simulated.map(({ ranks, batch, efficiency: found }) => [String(ranks), String(batch), found.toFixed(3)]),
    ),
  };
});

function parametersOf(widths: readonly number[]): number {
  return widths.slice(1).reduce((sum, width, l) => sum + width * ((widths[l] ?? 0) + 1), 0);
}
