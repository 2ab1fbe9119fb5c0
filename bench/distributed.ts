/**
 * One training on many processes: what two ranks of one thread take beside one process of two, how far the iterates of several ranks are from
 * those of one process, what is added up over the ranks, and what follows for as many as 1,024 by latency and bandwidth as measured here.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { RankReply, RankRequest } from './distributed/rank.js';
import {
  byRing,
  byTheFaster,
  byTree,
  type Sums,
  sumsOfEpoch,
  sumsOfIteration,
  sumsOfMinibatchEpoch,
  sumsOfStep,
  totalOf,
} from './distributed/sums.js';
import { along, coloured, draw, figure, lines, logAlong } from './harness/figures.js';
import { count, file, layers, program, say, text } from './harness/program.js';
import { fromRoot, measured } from './harness/results.js';
import { table } from './harness/table.js';

const OPTIONS = {
  layers: layers('784-1000-1000-10'),
  samples: count(60_000),
  iterations: count(4, 3),
  svg: file,
  mpirun: text('mpirun --allow-run-as-root --oversubscribe --bind-to none --mca mpi_yield_when_idle 1'),
};

/** Simulated: full batch, and batches a rank. */
const RANKS = [4, 16, 64, 256, 1024];
const FULL = 1e9;
const BATCHES = [512, 8192];
/** Measured: solvers by batches of this size. */
const BATCH = 512;
/** The defaults of minibatch-admm. */
const GRAM = { every: 10, rank: 16 };

await program(OPTIONS, async ({ layers: widths, samples, iterations, svg, mpirun }) => {
  const [launcher = '', ...words] = mpirun.split(' ');
  const ask = async (ranks: number, more: Partial<RankRequest>): Promise<RankReply> => {
    const request: RankRequest = {
      ...({ solver: 'dladmm', layers: widths, samples, iterations, dtype: 'float32' } as const),
      ...{ threads: 1, distributed: ranks > 0 },
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
  const full = sumsOfIteration(widths, 4);
  const step = sumsOfStep(widths, 4);
  const batches = [];
  for (const solver of ['adam', 'minibatch-admm'] as const) {
    const more = { solver, batchSize: BATCH };
    const [one, shared] = [await ask(0, { ...more, threads: 2 }), await ask(2, more)];
    const found = { solver, batch: BATCH, efficiency: one.seconds / shared.seconds };
    batches.push({ ...found, calls: shared.calls, bytes: shared.bytes });
    say(`${solver}, batches of ${BATCH}: efficiency ${found.efficiency.toFixed(3)}`);
  }

  const perSample = (2 * alone.seconds) / samples;
  const simulate = (ranks: number, batch: number, kinds: readonly Sums[]) => {
    const seconds = batch * perSample;
    const of = (shared: number): number => seconds / (seconds + shared);
    const all = totalOf(kinds);
    return {
      efficiency: of(byTheFaster(ranks, kinds, two)),
      ring: of(byRing(ranks, all, two)),
      tree: of(byTree(ranks, all, two)),
    };
  };
  const simulated = RANKS.flatMap((ranks) => [
    { ranks, batch: 'full', ...simulate(ranks, FULL / ranks, full) },
    ...BATCHES.map((batch) => ({ ranks, batch: String(batch), ...simulate(ranks, batch, step) })),
  ]);
  const result = {
    ...{ layers: widths.join('-'), samples, seconds: { alone: alone.seconds, two: two.seconds } },
    ...{ calls: two.calls, bytes: two.bytes, formula: totalOf(full) },
    ...{
      batches,
      formulaOfAdam: totalOf(sumsOfEpoch(widths, 4, samples / BATCH)),
      formulaOfMinibatchAdmm: totalOf(
        sumsOfMinibatchEpoch(widths, 4, { batches: samples / BATCH, epochs: iterations, ...GRAM }),
      ),
      latency: two.latency,
      secondsPerByte: two.secondsPerByte,
    },
    ...{ efficiency: alone.seconds / two.seconds, deviation, simulated },
  };
  if (svg !== undefined) await draw(svg, pictureOf(simulated));
  return measured(
    2,
    result,
    table(
      ['ranks', 'samples a rank', 'efficiency', 'by a ring', 'by a tree'],
      simulated.map(({ ranks, batch, efficiency, ring, tree }) => [
        ...[String(ranks), batch],
        ...[efficiency, ring, tree].map((each) => each.toFixed(3)),
      ]),
    ),
  );
});

interface Simulated {
  readonly ranks: number;
  readonly batch: string;
  readonly efficiency: number;
  readonly ring: number;
  readonly tree: number;
}

function pictureOf(simulated: readonly Simulated[]) {
  const named = (batch: string): string =>
    batch === 'full' ? 'full batch of 10⁹ samples' : `batches of ${batch} samples a rank`;
  const values = simulated.flatMap(({ ranks, batch, ring, tree }) => [
    { ranks, efficiency: ring, samples: named(batch), way: 'ring' },
    { ranks, efficiency: tree, samples: named(batch), way: 'tree' },
  ]);
  return figure(
    lines({
      title: 'parallel efficiency, simulated by latency and bandwidth between two processes',
      values,
      x: logAlong('ranks', { axis: { values: RANKS, format: 'd' }, scale: { base: 2 } }),
      y: along('efficiency', { scale: { domain: [0, 1] } }),
      color: coloured('samples'),
      strokeDash: coloured('way'),
      point: 20,
    }),
  );
}
