/**
 * Full batch: variable-metric ADMM, sigmoid-ADMM, dlADMM and Adam, each on all samples at once, by the score at the end of their iterations: the accuracy,
 * or where there are no classes the loss R of a sample.
 *
 * Every method has the same number of trials. A trial is trained on the samples without the last `--held-out` of them and judged
 * on these; the best is trained on all, once for every seed, and judged on the test samples, which nothing is chosen by. With
 * `--sensitivity` one setting at a time is changed from the defaults, and all are judged on the samples held out.
 * Every run is kept in bench/results/fullbatch-DATA.json (fullbatch-varied-DATA.json) as it ends: a call that was interrupted goes on.
 */
import { type TrainOptions, train } from 'dladmm';
import { loadTask } from './defaults/tasks.js';
import { optionsOf, type Settings, SOLVERS, type Solver, TRIALS, VARIED } from './fullbatch/methods.js';
import { count, flag, layers, maybe, program, STUDY, say, some, text, told } from './harness/program.js';
import { resultFile } from './harness/results.js';
import { classesOf, firstOf, follow, heldOut, type Samples } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { studyIn, upTo } from './harness/study.js';
import { inWords, table } from './harness/table.js';
import { autoencoder } from './tasks/task.js';

interface Run {
  readonly solver: Solver;
  readonly settings: Settings;
  readonly iterations: number;
  readonly seed: number;
  readonly judgedOn: 'validation' | 'test';
  readonly accuracy?: number;
  readonly loss?: number;
  readonly seconds: number;
  /** Of variable-metric ADMM: sweeps whose step was taken back. */
  readonly takenBack?: number;
}

const OPTIONS = {
  data: told(
    text('mnist'),
    'a set of classes such as mnist or digits, california-housing, or autoencoder (of Fashion-MNIST)',
  ),
  samples: count(60_000),
  heldOut: told(maybe(count()), 'default: a tenth of the samples, 5000 at most'),
  layers: told(
    maybe(layers('784-1000-1000-10')),
    'default: two hidden layers of 1000, of values those of the other benchmarks',
  ),
  methods: some(SOLVERS, 'variable-metric-admm,adam'),
  sensitivity: flag,
  standardise: told(flag, 'the features, which are taken as they are'),
  iterations: count(60),
  adamIterations: count(200),
  trials: count(6),
  seeds: count(5),
  ...STUDY,
};

/** What is learnt. Pixels are taken as they are, features and targets of a regression have mean 0 and deviation 1. */
async function taskOf(name: string, dataDir: string | undefined) {
  if (name === 'autoencoder') return autoencoder('fashion-mnist', dataDir);
  if (name === 'california-housing') {
    const task = await loadTask(name, dataDir);
    if (task !== undefined) return { ...task, train: task.data as Samples, test: task.data.test };
  }
  const { train: samples, test, classes } = await classesOf(name, dataDir);
  const layers = [samples.x.columns, 1000, 1000, classes.length];
  return { layers, loss: 'softmax-cross-entropy' as const, train: samples, test };
}

/** The higher, the better. */
const scoreOf = ({ accuracy, loss = Number.NaN }: Pick<Run, 'accuracy' | 'loss'>): number => accuracy ?? -loss;

await program(OPTIONS, async ({ data: name, samples, methods, sensitivity, trials, seeds, threads, ...given }) => {
  const { iterations, adamIterations, standardise, dataDir } = given;
  const { out = resultFile(`fullbatch-${sensitivity ? 'varied-' : ''}${name}`) } = given;
  const task = await taskOf(name, dataDir);
  const { layers: widths = task.layers } = given;
  const all: Samples = firstOf(task.train, samples);
  const { heldOut: held = Math.min(5000, Math.ceil(all.x.rows / 10)) } = given;
  const parts = { validation: heldOut(all, held), test: { train: all, test: task.test } };
  const head = { data: name, layers: widths.join('-'), samples: all.x.rows, heldOut: held };
  const study = await studyIn<typeof head, Run>(out, head, threads);

  /** A run, or what the file has of it. */
  async function run(of: Pick<Run, 'solver' | 'settings' | 'iterations' | 'seed' | 'judgedOn'>): Promise<Run> {
    const known = study.find(of);
    if (known !== undefined) return known;
    const { train: own, test: judges } = parts[of.judgedOn];
    const common = { layers: widths, loss: task.loss, seed: of.seed, threads, evaluateEvery: of.iterations };
    const options = {
      ...{
        ...common,
        standardise,
        standardiseTargets: false,
        ...('initialisation' in task && { initialisation: task.initialisation }),
      },
      ...optionsOf(of.solver, of.settings, of.iterations, own.x.rows, task.loss === 'softmax-cross-entropy'),
    };
    let seconds = 0;
    let takenBack = 0;
    const { model, status } = await follow(
      train({ ...own, test: judges }, options as TrainOptions),
      (record, until) => {
        seconds = until;
        if ('kept' in record && record.kept === false) takenBack += 1;
      },
    );
    const { accuracy, loss } = await model.evaluate(judges);
    model.close();
    const scores = accuracy === undefined ? { loss } : { accuracy };
    const found = { ...of, ...scores, seconds, ...(of.solver === 'variable-metric-admm' && { takenBack }) };
    await study.put(of, found);
    const { solver, settings, seed, judgedOn } = of;
    say(
      `${solver} ${inWords(settings)} seed ${seed}: ${judgedOn} ${inWords(scores)}, ${seconds.toFixed(1)} s, ${status.kind}`,
    );
    return found;
  }

  const ownOf = (solver: Solver) => ({ solver, iterations: solver === 'adam' ? adamIterations : iterations });
  const best = (runs: readonly Run[]): Run =>
    runs.reduce((high, other) => (scoreOf(other) > scoreOf(high) ? other : high));
  const title = `${name}, ${head.layers}, ${head.samples} samples`;
  const { runs: _, ...told } = study.now();

  if (sensitivity) {
    const varied: Run[] = [];
    for (const solver of methods) {
      for (const settings of VARIED[solver])
        varied.push(await run({ ...ownOf(solver), settings, seed: 1, judgedOn: 'validation' }));
    }
    const rows = varied.map((each) => [
      ...[each.solver, inWords(each.settings), Math.abs(scoreOf(each)).toFixed(4)],
      ...[each.takenBack?.toString() ?? '', each.seconds.toFixed(1)],
    ]);
    const text = table(['method', 'changed', 'score', 'taken back', 'seconds'], rows);
    return { result: { ...told, varied }, text: `${title}, ${held} held out\n${text}` };
  }

  const found = [];
  for (const solver of methods) {
    const tried: Run[] = [];
    const grid = TRIALS[solver][task.loss === 'softmax-cross-entropy' ? 'classes' : 'values'];
    for (const settings of grid.slice(0, trials))
      tried.push(await run({ ...ownOf(solver), settings, seed: 1, judgedOn: 'validation' }));
    const { settings, accuracy } = best(tried);
    const runs: Run[] = [];
    for (const seed of upTo(seeds)) runs.push(await run({ ...ownOf(solver), settings, seed, judgedOn: 'test' }));
    const scores = runs.map((each) => Math.abs(scoreOf(each)));
    const spread = { median: median(scores), min: Math.min(...scores), max: Math.max(...scores) };
    found.push({
      ...{ settings, trials: tried.length, seeds, ...ownOf(solver) },
      ...(accuracy === undefined ? { testLoss: spread } : { testAccuracy: spread }),
      seconds: median(runs.map(({ seconds }) => seconds)),
    });
  }
  const lines = found.map(({ solver, settings, iterations: count, seconds, ...scores }) => {
    const { median: middle, min, max } = 'testLoss' in scores ? scores.testLoss : scores.testAccuracy;
    const range = `${middle.toFixed(4)} (${min.toFixed(4)}–${max.toFixed(4)})`;
    return `${solver.padEnd(21)} ${count} iterations  ${range}  ${seconds.toFixed(1)} s  ${inWords(settings)}`;
  });
  return { result: { ...told, methods: found }, text: [title, ...lines].join('\n') };
});
