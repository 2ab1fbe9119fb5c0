/**
 * Who is first to a test accuracy: seconds of training and epochs until it is reached, for every seed, and the median. `--looks 8` looks after each
 * eighth of an epoch (but at `auto`).
 *
 * Our own step was chosen as Adam's settings were: `--tune` tries as many settings of each (bench/race/settings.ts) on the same training images
 * but HELD_OUT, one seed each, and of those that are at the target on the images held out within NEARLY of the fewest seconds takes the most
 * accurate. No test image has a say. What FILE has tried before is not tried again. `auto`, the default of the package, which nobody tuned, runs
 * beside them, its linear model included.
 * The settings are those that `--tune --out FILE` wrote, in `--settings FILE` or bench/results/tune-DATASET.json (tune-looks-DATASET.json for
 * looks within epochs); of what is not there, those of bench/race/settings.ts, chosen by test images. bench:figures draws docs/sooner.svg from runs to the end:
 * --to-the-end --epochs 10 --seeds 1 --methods auto,minibatch-admm-free,minibatch-admm-input,adam --out bench/results/sooner-DATASET.json
 */
import { DlAdmmError, type TrainOptions, train } from 'dladmm';
import { inParts } from './harness/part-epochs.js';
import { count, file, flag, layers, program, real, STUDY, say, some, text, told } from './harness/program.js';
import { earlier, keep, machine, resultFile } from './harness/results.js';
import { classesOf, follow, heldOut } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { type Run, runsIn, type Tuning } from './race/runs.js';
import { BEST, GRIDS, optionsOf, type Setting, settingText } from './race/settings.js';

const OPTIONS = {
  dataset: text('mnist'),
  target: real(0.98),
  layers: layers('784-1000-1000-10'),
  methods: some([...Object.keys(GRIDS), 'auto'], 'minibatch-admm,adam,auto'),
  seeds: count(3),
  epochs: count(30),
  looks: told(count(1), 'in an epoch'),
  tune: flag,
  toTheEnd: flag,
  settings: file,
  ...STUDY,
};

/** The share of the training images that `--tune` holds out to judge by: the last ones. */
const HELD_OUT = 1 / 6;

/** Times of one setting differ by so much. */
const NEARLY = 1.1;

interface Median {
  readonly setting: string;
  readonly runs: readonly Run[];
  /** Of those that reached the target; infinite where fewer than half did. */
  readonly seconds: number;
  readonly epochs: number;
  /** Of adam's seconds. */
  readonly ratio?: number;
}

await program(OPTIONS, async ({ dataset, target, methods, seeds, epochs, dataDir, out, toTheEnd, ...options }) => {
  const set = await classesOf(dataset, dataDir);
  const tuned = await earlier<Tuning>(
    options.settings ?? resultFile(`${options.looks > 1 ? 'tune-looks' : 'tune'}-${dataset}`),
  );
  const { train: samples, test } = options.tune ? heldOut(set.train, Math.round(HELD_OUT * set.train.x.rows)) : set;
  const { layers, threads, looks } = options;
  const head = { dataset, target, layers: layers.join('-'), ...(looks > 1 && { looks }), ...machine(threads) };
  const kept = options.tune && out !== undefined ? await earlier<Tuning & typeof head>(out) : undefined;
  const before = kept?.target === target && kept.layers === head.layers && kept.looks === head.looks ? kept : undefined;
  /** Until the target is reached, or to the end, for so many seconds at most. */
  const run = async (setting: Setting, seed: number, most = Number.POSITIVE_INFINITY): Promise<Run> => {
    // Where the rate has fallen to 0 nothing moves any more.
    const limit = Math.min(epochs, setting.cosine ?? epochs);
    const parts = setting.auto ? 1 : looks;
    const own = setting.auto
      ? {}
      : {
          layers,
          ...optionsOf(setting, samples.x.rows),
          ...(parts > 1 && { solver: inParts(setting.solver, parts) }),
          epochs: Math.ceil(limit * parts),
        };
    const [accuracies, elapsed]: [number[], number[]] = [[], []];
    const training = train({ ...samples, test }, { ...own, seed, threads } as TrainOptions);
    const { model } = await follow(training, (record, so) => {
      accuracies.push(record.test?.accuracy ?? Number.NaN);
      elapsed.push(so);
      return ((record.test?.accuracy ?? 0) >= target && !toTheEnd) || so > most ? 'enough' : 'more';
    });
    model.close();
    const first = accuracies.findIndex((accuracy) => accuracy >= target);
    const reached = first >= 0 && { seconds: elapsed[first] as number, epochs: (first + 1) / parts };
    return { setting, seed, accuracies, elapsed, ...reached };
  };

  const measure = async (method: string): Promise<Median> => {
    // A search that was cut off has no best yet.
    const found = tuned?.[method] as Tuned | undefined;
    const setting = found?.best ?? BEST[dataset]?.[method];
    if (!setting) {
      throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `${method} has no setting for ${dataset}: find one by --tune`);
    }
    const runs: Run[] = [];
    for (let seed = 1; seed <= seeds; seed += 1) {
      runs.push(await run(setting, seed));
      say(`${method} seed ${seed}: ${line(runs.at(-1) as Run)}`);
    }
    const reached = (what: 'seconds' | 'epochs'): number =>
      median(runs.map((each) => each[what] ?? Number.POSITIVE_INFINITY));
    const how = found?.best
      ? `, the best of ${found.tried.length} by held-out images`
      : setting.auto
        ? ''
        : ', by test images';
    return { setting: settingText(setting) + how, runs, seconds: reached('seconds'), epochs: reached('epochs') };
  };

  const tune = async (method: string, keepSoFar: (so: Tuned) => Promise<void>): Promise<Tuned> => {
    const runs = [...runsIn(before?.[method], 'tried')];
    const fewest = (): number => Math.min(...runs.map(({ seconds = Number.POSITIVE_INFINITY }) => seconds));
    for (const setting of GRIDS[method] ?? []) {
      if (runs.some((its) => settingText(its.setting) === settingText(setting))) continue;
      const { elapsed: _, ...its } = await run(setting, 1, NEARLY * fewest());
      runs.push(its);
      say(`${method} ${settingText(setting)}: ${line(its)}`);
      await keepSoFar({ best: null, tried: runs });
    }
    const soonest = runs.filter(({ seconds }) => seconds !== undefined && seconds <= NEARLY * fewest());
    const best = soonest.toSorted((a, b) => (b.accuracies.at(-1) ?? 0) - (a.accuracies.at(-1) ?? 0))[0]?.setting;
    if (best) say(`${method}: best of ${runs.length} ${settingText(best)}`);
    return { best: best ?? null, tried: runs };
  };

  const found: Record<string, Median | Tuned> = {};
  const keepWith = async (method: string, its: Median | Tuned): Promise<void> => {
    found[method] = its;
    if (out !== undefined) await keep(out, { ...before, ...head, ...found });
  };
  for (const method of methods) {
    const its = options.tune ? await tune(method, (so) => keepWith(method, so)) : await measure(method);
    await keepWith(method, its);
  }
  if (options.tune) return { result: { ...head, ...found }, text: '' };
  const raced = withRatios(found as Readonly<Record<string, Median>>);
  const result = { ...head, ...raced, ratio: raced[methods[0] ?? '']?.ratio };
  if (out !== undefined) await keep(out, result);
  return {
    result,
    text: [`${dataset}, ${head.layers}, target ${target}`, ...Object.entries(raced).map(row)].join('\n'),
  };
});

interface Tuned {
  readonly best: Setting | null;
  readonly tried: readonly Run[];
}

function withRatios(raced: Readonly<Record<string, Median>>): Readonly<Record<string, Median>> {
  const { adam } = raced;
  if (adam === undefined) return raced;
  return Object.fromEntries(
    Object.entries(raced).map(([method, its]) => [method, { ...its, ratio: its.seconds / adam.seconds }]),
  );
}

function line({ accuracies, seconds, epochs: needed }: Run): string {
  const curve = accuracies.map((accuracy) => accuracy.toFixed(4)).join(' ');
  return seconds === undefined ? `not reached: ${curve}` : `${seconds.toFixed(1)} s, ${needed} epochs: ${curve}`;
}

function row([method, { setting, runs, seconds, epochs, ratio }]: [string, Median]): string {
  const each = runs.map((run) => run.seconds?.toFixed(1) ?? '–').join(', ');
  const times = ratio === undefined ? '' : `, ${ratio.toFixed(2)} of adam's`;
  return `${method.padEnd(16)} ${seconds.toFixed(1)} s, ${epochs} epochs (${each} s)${times}   ${setting}`;
}
