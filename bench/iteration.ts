/**
 * How long one iteration takes, as a ratio to the floor: the matrix products (and factorisations) that an iteration cannot
 * do without, at the best rate that this machine reaches for each shape in the same run; and which update spends what lies
 * above it.
 *
 * Two child processes take turns, so that a drift of the machine's speed meets both: one trains, the other multiplies.
 */
import { factorFlops, floorProducts, ITERATION_WAYS, SOLVERS } from './floor/iteration.js';
import { bestSeconds, flopsOf, keyOf, secondsOf } from './floor/products.js';
import type { IterationReply } from './floor/trainer.js';
import { byTurns } from './floor/turns.js';
import { choice, count, DTYPE, layers, program, THREADS } from './harness/program.js';
import { measured } from './harness/results.js';
import { median } from './harness/statistics.js';
import { gigabytes, pairs, table } from './harness/table.js';

/** How often a training renews its products, in iterations: the default of the package. */
const REFRESH_EVERY = 25;
const REPEATS = 2;

const OPTIONS = {
  solver: choice(SOLVERS, 'dladmm'),
  layers: layers('784-1000-1000-10'),
  samples: count(60_000),
  dtype: DTYPE,
  threads: THREADS,
  rounds: count(5),
};

await program(OPTIONS, async ({ solver, layers, samples, dtype, threads, rounds }) => {
  const products = floorProducts(layers, samples, solver);
  const distinct = [...new Map(products.map((product) => [keyOf(product), product])).values()];
  const { replies, floors } = await byTurns<IterationReply>(
    { solver, layers, samples, dtype, threads },
    { products: distinct, ways: ITERATION_WAYS, repeats: REPEATS, dtype, threads },
    rounds,
  );

  const best = bestSeconds(floors);
  const rate = Math.max(...distinct.map((each) => flopsOf([{ ...each, count: 1 }]) / (best.get(keyOf(each)) ?? 0)));
  const factors = factorFlops(layers, solver) / rate;
  const refresh = median(replies.map((reply) => reply.refreshSeconds));
  const updates = Object.keys(replies[0]?.updates ?? {}).map((update) => {
    const seconds = median(replies.map((reply) => reply.updates[update] ?? 0));
    const own = products.filter((product) => product.update === update);
    const floorSeconds = secondsOf(own, best);
    return { update, seconds, floorSeconds, aboveSeconds: seconds - floorSeconds };
  });
  const secondsPerIteration = median(replies.map((reply) => reply.seconds)) + refresh / REFRESH_EVERY;
  const floorSeconds = secondsOf(products, best) + factors;
  const floorFlops = flopsOf(products) + factorFlops(layers, solver);
  const found = {
    ...{ solver, layers: layers.join('-'), samples, dtype, secondsPerIteration },
    ...{ floorFlops, floorGflops: floorFlops / floorSeconds / 1e9, floorSeconds },
    ratio: secondsPerIteration / floorSeconds,
    peakRssBytes: Math.max(...replies.map((reply) => reply.peakRssBytes)),
    ...{ rounds, updates, refreshSeconds: refresh / REFRESH_EVERY, factorSeconds: factors },
  };
  const ms = (seconds: number): string => (seconds * 1000).toFixed(2);
  const row = (update: string, time: number, floor: number) => [update, ...[time, floor, time - floor].map(ms)];
  const rows = [
    ...updates.map((each) => row(each.update, each.seconds, each.floorSeconds)),
    row(`refresh of P / ${REFRESH_EVERY}`, found.refreshSeconds, 0),
    ...(factors > 0 ? [row('factorisations', 0, factors)] : []),
    row('iteration', secondsPerIteration, floorSeconds),
  ];
  return measured(
    threads,
    found,
    `${solver}: ${found.layers}, ${samples} samples, ${dtype}; milliseconds an iteration\n`,
    table(['update', 'time', 'floor', 'above'], rows),
    '',
    pairs({
      floor: `${(floorFlops / 1e9).toFixed(1)} GFLOP at ${found.floorGflops.toFixed(1)} GFLOP/s`,
      ratio: found.ratio.toFixed(3),
      'peak memory': gigabytes(found.peakRssBytes),
    }),
  );
});
