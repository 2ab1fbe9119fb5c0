/**
 * What the default number of threads is worth where a process has less than the whole machine: under a quota of processor
 * time, beside other trainings, beside busy neighbours, on small problems, with many models.
 *
 * Every figure is a ratio of two speeds measured by turns in one run, the median of its rounds. Control groups of version 1
 * and 2 are made where the machine lets us (usually as root); where it does not, that part says so and is left out.
 */
import { spawn } from 'node:child_process';
import { DlAdmmError } from 'dladmm';
import { withQuota } from './containers/group.js';
import type { ModelsReply, RunReply, Work, WorkerRequest } from './containers/worker.js';
import { type Child, startChild } from './harness/child.js';
import { availableThreads } from './harness/internals.js';
import { count, file, program, real, say, some } from './harness/program.js';
import { keep, measured } from './harness/results.js';
import { byRounds, ratioOf } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { combinations } from './harness/study.js';
import { table } from './harness/table.js';

const PARTS = ['quota', 'together', 'busy', 'quiet', 'models'] as const;
type Part = (typeof PARTS)[number];

const OPTIONS = { only: some(PARTS), rounds: count(7), seconds: real(2), out: file };

type Worker = Child<WorkerRequest, RunReply | ModelsReply | 'ready'>;

const PROCESSORS = availableThreads();
const PIXELS = [784, 256, 256, 10];
const DIGITS = [64, 100, 100, 10];
const IRIS = [4, 16, 3];
const trained = (data: Work['data'], layers: readonly number[], solver: string, batchSize?: number): Work => ({
  data,
  options: { layers, solver, ...(batchSize !== undefined && { batchSize }) } as Work['options'],
});
type Works = Readonly<Record<string, Work>>;
const TRAININGS: Works = {
  'dladmm 784-256-256-10': trained('random', PIXELS, 'dladmm'),
  'adam 784-256-256-10, batch 128': trained('random', PIXELS, 'adam'),
};
const SMALL: Works = {
  'adam digits, batch 16': trained('digits', DIGITS, 'adam', 16),
  'minibatch-admm digits, batch 16': trained('digits', DIGITS, 'minibatch-admm', 16),
  'minibatch-admm iris, batch 32': trained('iris', IRIS, 'minibatch-admm', 32),
};
const TINY: Works = {
  ...SMALL,
  'dladmm digits': trained('digits', DIGITS, 'dladmm'),
  'dladmm iris': trained('iris', IRIS, 'dladmm'),
  'adam iris, batch 16': trained('iris', IRIS, 'adam', 16),
};
const MODELS = 200;

await program(OPTIONS, async ({ only, rounds, seconds, out }) => {
  const rows: Row[] = [];
  const skipped: Record<string, string> = {};
  const quiet = () => defaultOverOne('quiet', TINY, rounds, seconds / 4, 1);
  const parts = { quota, together, busy, quiet, models };
  for (const part of only) {
    try {
      for await (const row of parts[part](rounds, seconds)) {
        rows.push(row);
        say(`${row.part}: ${row.what} ${row.ratio.toFixed(3)} (${row.asked})`);
      }
    } catch (error) {
      if (!(error instanceof DlAdmmError && error.code === 'ERR_DLADMM_FILE')) throw error;
      skipped[part] = error.message;
      say(`${part}: left out. ${skipped[part]}`);
    }
  }
  const cells = rows.map(({ part, what, ratio, asked, holds }) => [
    ...[part, what, ratio.toFixed(3), asked, holds ? 'yes' : 'no'],
  ]);
  const outcome = measured(
    PROCESSORS,
    { rows, skipped, holds: rows.every(({ holds }) => holds) },
    table(['part', 'what', 'ratio', 'asked', 'holds'], cells),
    ...Object.entries(skipped).map(([part, why]) => `${part} left out: ${why}`),
  );
  if (out !== undefined) await keep(out, outcome.result);
  return outcome;
});

type Row = ReturnType<typeof judged>;

/** A ratio beside what is asked of it; `noise` is what a ratio of equal times may be off by. */
function judged(part: Part, what: string, ratio: number, sign: '≥' | '≤', limit: number, noise = 0) {
  const holds = sign === '≥' ? ratio >= limit : ratio <= limit + noise;
  return { part, what, ratio, asked: `${sign} ${limit}${noise === 0 ? '' : ` ± ${noise}`}`, holds };
}

function withThreads({ data, options }: Work, threads: number): Work {
  return { data, options: { ...options, threads } };
}

/** Iterations a second. */
async function run(worker: Worker, request: Omit<Extract<WorkerRequest, { kind: 'run' }>, 'kind'>): Promise<number> {
  const { iterations, seconds } = (await worker.ask({ kind: 'run', ...request })) as RunReply;
  return iterations / seconds;
}

/** Speed of the default over that of the best number of threads, each in a process of its own in the group. */
async function* quota(rounds: number, seconds: number): AsyncGenerator<Row> {
  const settings = [undefined, ...new Set([1, 2, PROCESSORS])];
  for (const { processors, name } of combinations({ processors: [1, 0.5], name: Object.keys(TRAININGS) })) {
    const work = TRAININGS[name] as Work;
    const ratio = await withQuota(processors, async (group) => {
      const workers = settings.map((): Worker => startChild('containers/worker', { group }));
      try {
        for (const [i, threads] of settings.entries()) {
          const its = threads === undefined ? work : withThreads(work, threads);
          await workers[i]?.ask({ kind: 'open', name, work: its });
        }
        const works = workers.map((worker) => () => run(worker, { names: [name], seconds }));
        const [own = [], ...others] = await byRounds(works, (round) => round < rounds);
        return Math.min(...others.map((each) => ratioOf(own, each)));
      } finally {
        for (const worker of workers) worker[Symbol.dispose]();
      }
    });
    const what = `${processors} of ${PROCESSORS} processors, ${name}: default over the best threads`;
    yield judged('quota', what, ratio, '≥', 0.95);
  }
}

/** Speed of several trainings at once over that of the same one after the other. */
async function* together(rounds: number, seconds: number): AsyncGenerator<Row> {
  using worker: Worker = startChild('containers/worker');
  for (const [name, work] of Object.entries(TRAININGS)) {
    const names = Array.from({ length: 4 }, (_, i) => `${name} ${i}`);
    for (const each of names) await worker.ask({ kind: 'open', name: each, work });
    const speed = await run(worker, { names: names.slice(0, 1), seconds });
    for (const count of [2, 4]) {
      const some = names.slice(0, count);
      const iterations = Math.max(1, Math.round((speed * seconds) / count));
      const ratios: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const atOnce = await run(worker, { names: some, iterations });
        let one = 0;
        for (const each of some) one += iterations / (await run(worker, { names: [each], iterations }));
        ratios.push((atOnce * one) / (iterations * count));
      }
      yield judged('together', `${count} at once over one after the other, ${name}`, median(ratios), '≥', 0.95);
    }
  }
}

/** The default beside two busy processes a processor. */
async function* busy(rounds: number, seconds: number): AsyncGenerator<Row> {
  const neighbours = Array.from({ length: 2 * PROCESSORS }, () => spawn(process.execPath, ['-e', 'for (;;);']));
  try {
    yield* defaultOverOne('busy', SMALL, rounds, seconds, 1.5);
  } finally {
    for (const neighbour of neighbours) neighbour.kill('SIGKILL');
  }
}

/** Time an epoch by default over that of one thread. */
async function* defaultOverOne(
  part: Part,
  works: Works,
  rounds: number,
  seconds: number,
  limit: number,
): AsyncGenerator<Row> {
  for (const [name, work] of Object.entries(works)) {
    using worker: Worker = startChild('containers/worker');
    await worker.ask({ kind: 'open', name: 'default', work });
    await worker.ask({ kind: 'open', name: 'one', work: withThreads(work, 1) });
    const works = ['one', 'default'].map((each) => () => run(worker, { names: [each], seconds }));
    const [one = [], own = []] = await byRounds(works, (round) => round < rounds);
    const what = `${name}: time of the default over that of one thread`;
    yield judged(part, what, ratioOf(one, own), '≤', limit, limit === 1 ? 0.03 : 0);
  }
}

/** Threads and memory of many models that have all answered. */
async function* models(): AsyncGenerator<Row> {
  using worker: Worker = startChild('containers/worker');
  const reply = (await worker.ask({ kind: 'models', count: MODELS, layers: PIXELS })) as ModelsReply;
  yield judged('models', `threads of ${MODELS} live models over processors`, reply.threads / PROCESSORS, '≤', 1);
  yield judged('models', 'memory grown over that of their weights', reply.grownBytes / reply.weightBytes, '≤', 1.1);
}
