/**
 * The frontier: for every task and every budget of seconds, the best test score of each method, by the protocol of docs/frontier.md.
 *
 * A budget is 1, 2, 4, 8 or 16 times what an epoch of Adam at batches of 128 takes. A trial is a training of as many batches as fit into it, at the
 * pace that the method has at their size, with its schedule over that horizon, judged at its end on the last tenth of the
 * training samples. The best of `--trials` is trained on all training samples with `--seeds` seeds and judged on the test part.
 * Every run is kept in bench/results/frontier.json (`--out`) as it ends: a call that was interrupted goes on. `--stored` prints what is there.
 */
import { type TrainOptions, train } from 'dladmm';
import {
  BUDGETS,
  batchOf,
  type Settings,
  SPACES,
  seedsOf,
  TARGETS,
  TASKS,
  type TaskName,
  taskOf,
  timid,
  trialsOf,
} from './frontier/protocol.js';
import { iterationsOf } from './harness/part-epochs.js';
import { count, counts, flag, program, STUDY, say, some, told } from './harness/program.js';
import { measured, resultFile } from './harness/results.js';
import { firstOf, follow } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { combinations, studyIn, upTo } from './harness/study.js';
import { inWords, table } from './harness/table.js';

const OPTIONS = {
  tasks: some(TASKS),
  methods: some(Object.keys(SPACES)),
  budgets: told(counts(BUDGETS), 'epochs of Adam'),
  trials: count(8),
  seeds: count(5),
  trainingThreads: told(count(), 'threads of a training, whose time is not taken; --threads where not given'),
  paces: told(flag, 'only how long epochs take, for which the machine should be quiet'),
  stored: told(flag, 'the table of what has been run, without any run'),
  ...STUDY,
};

interface Run {
  readonly task: TaskName;
  readonly method: string;
  /** 0 of a pace: the time of an epoch of so many samples a batch (0 for the default) over that of Adam's. */
  readonly budget: number;
  readonly batchSize?: number;
  readonly epoch?: number;
  /** The scores of the trials so far, null where one diverged; which of them is the best, from 0, and how it went on. */
  readonly validation?: readonly (number | null)[];
  readonly best?: number;
  readonly epochs?: number;
  /** Of every seed, null where it diverged. */
  readonly test?: readonly (number | null)[];
}
type Cell = Run & Required<Pick<Run, 'validation' | 'best' | 'epochs' | 'test'>>;

/** How often an epoch is timed beside one of Adam's, on so many samples at most. */
const [TURNS, TIMED] = [3, 10_000];

const higher = (task: TaskName): boolean => TARGETS[task].score === 'accuracy';
const better = (task: TaskName, one: number, other: number): boolean => (higher(task) ? one > other : one < other);
const isDone = (run: Run): run is Cell => (run.test?.length ?? 0) > 0;

await program(OPTIONS, async ({ tasks, methods, budgets, trials, seeds, threads, dataDir, ...given }) => {
  const { out = resultFile('frontier'), paces, stored, trainingThreads = threads } = given;
  const study = await studyIn<{ readonly threads: number }, Run>(out, { threads }, threads);
  for (const task of stored ? [] : tasks) {
    const found = await taskOf(task, dataDir);
    if (found === undefined) {
      say(`${task}: its files are not there; --data-dir FOLDER says where`);
      continue;
    }
    const { network, all, fewer } = found;
    const timed = { ...fewer, train: firstOf(fewer.train, TIMED) };

    /** The score after so many epochs, which need not be whole. */
    async function scored(settings: Settings, samples: typeof all, epochs: number, seed: number): Promise<number> {
      const solver = iterationsOf(String(settings.solver), (steps) => Math.max(1, Math.floor(epochs * steps + 1e-6)));
      const { status, history } = await trained({ ...settings, solver, epochs: 1 }, samples, seed, trainingThreads);
      const score = status.kind === 'completed' ? history.at(-1)?.test?.[TARGETS[task].score] : undefined;
      return score ?? Number.NaN;
    }

    async function trained(settings: Settings, { train: samples, test }: typeof all, seed: number, by = threads) {
      const options = { ...network, ...settings, seed, threads: by, evaluateEvery: settings.epochs } as TrainOptions;
      const laps: number[] = [];
      const training = train({ ...samples, test }, options);
      const { model, status, history } = await follow(training, (record) => laps.push(record.seconds));
      model.close();
      return { status, history, laps };
    }

    /** Seconds of an epoch with steps so short that nothing diverges: the median of some, without the first. */
    async function lap(settings: Settings): Promise<number> {
      const laps = async (epochs: number) => (await trained({ ...timid(settings), epochs }, timed, 1)).laps.slice(1);
      const [first = 0] = await laps(2);
      return median(await laps(Math.max(3, Math.min(30, Math.round(0.3 / first)))));
    }

    /** Seconds of an epoch over those of Adam's with its defaults, in turns, as a machine is not as fast at all times: the median. */
    async function pace(method: string, settings: Settings): Promise<number> {
      const batchSize = batchOf(settings, fewer.train.x.rows);
      const sized = batchSize === 0 ? settings : { ...settings, batchSize };
      const key = { task, method, budget: 0, batchSize };
      const known = method === 'adam' && batchSize === 0 ? 1 : study.find(key)?.epoch;
      if (known !== undefined) return known;
      const ratios: number[] = [];
      for (let turn = 0; turn < TURNS; turn += 1) ratios.push((await lap(sized)) / (await lap({ solver: 'adam' })));
      await study.put(key, { ...key, epoch: median(ratios) });
      return median(ratios);
    }

    for (const method of methods) for (const settings of trialsOf(method, trials)) await pace(method, settings);
    for (const { budget, method } of combinations({ budget: paces ? [] : budgets, method: methods })) {
      const key = { task, method, budget };
      const space = trialsOf(method, trials);
      let cell: Run = study.find(key) ?? { ...key, validation: [] };
      for (const settings of space.slice(cell.validation?.length ?? 0)) {
        const score = await scored(settings, fewer, budget / (await pace(method, settings)), 1);
        cell = { ...cell, validation: [...(cell.validation ?? []), Number.isFinite(score) ? score : null] };
        await study.put(key, cell);
      }
      const scores = cell.validation ?? [];
      const place = scores.reduce<number>((at, score, i) => {
        const before = scores[at] ?? null;
        return score !== null && (before === null || better(task, score, before)) ? i : at;
      }, 0);
      const best = space[place];
      if (best === undefined || (scores[place] ?? null) === null) continue;
      if (cell.best !== place) cell = { ...cell, best: place, epochs: budget / (await pace(method, best)), test: [] };
      for (const seed of upTo(seeds).slice(cell.test?.length ?? 0)) {
        const score = await scored(best, all, cell.epochs ?? budget, seed);
        cell = { ...cell, test: [...(cell.test ?? []), Number.isFinite(score) ? score : null] };
        await study.put(key, cell);
      }
      say(`${task} ${budget} ${method}: ${median(seedsOf(task, cell.test ?? [])).toFixed(4)}, ${inWords(best)}`);
    }
  }
  const cells = study
    .now()
    .runs.filter(isDone)
    .filter((each) => tasks.includes(each.task) && methods.includes(each.method));
  const middle = ({ task, test }: Cell): number => median(seedsOf(task, test));
  const rows = combinations({ task: tasks, budget: budgets }).flatMap(({ task, budget }) => {
    const here = cells.filter((each) => each.task === task && each.budget === budget);
    if (here.length === 0) return [];
    const top = here.reduce((one, other) => (better(task, middle(other), middle(one)) ? other : one));
    const shown = (cell: Cell | undefined): string => {
      if (cell === undefined) return '';
      const of = seedsOf(task, cell.test);
      return `${median(of).toFixed(4)}${cell === top ? '*' : ' '} (${Math.min(...of).toFixed(4)}–${Math.max(...of).toFixed(4)})`;
    };
    return [[task, String(budget), ...methods.map((method) => shown(here.find((each) => each.method === method)))]];
  });
  /** When the medians of a method are at the target first: between two budgets as if they went straight over the logarithm of the time. */
  const reached = combinations({ task: tasks, method: methods }).flatMap(({ task, method }) => {
    const { target } = TARGETS[task];
    const its = cells
      .filter((each) => each.task === task && each.method === method)
      .sort((one, other) => one.budget - other.budget);
    const at = its.findIndex((each) => !better(task, target, middle(each)));
    const [before, there] = [its[at - 1], its[at]];
    if (there === undefined) return [];
    const share = before === undefined ? 1 : (target - middle(before)) / (middle(there) - middle(before));
    const from = before?.budget ?? there.budget;
    return [{ task, method, target, adamEpochs: from * (there.budget / from) ** share }];
  });
  return measured(
    threads,
    { cells, reached },
    table(['task', 'budget', ...methods], rows),
    '* the best median; in brackets the least and the largest of the seeds',
    ...reached.map(
      ({ task, method, target, adamEpochs }) =>
        `${task} at ${target}: ${method} in the time of ${adamEpochs.toFixed(2)} epochs of Adam`,
    ),
  );
});
