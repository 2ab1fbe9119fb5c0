/**
 * BADM and SISA against Adam on a task of each other kind that the abstract of BADM names and that this engine can carry:
 * image generation (an autoencoder, squared error) and language (the next character of a text, cross-entropy).
 *
 * The autoencoder learns 784-256-32-256-784 on the images of a data set, each its own target. The language network sees the
 * last 8 characters of data/text/moby-dick.txt, one-hot; the last tenth of the text is its test.
 *
 * Keeps bench/results/tasks-TASK.json, and draws docs/tasks.svg (both tasks) and docs/reconstructions.svg. Settings are those of
 * bench/tasks/settings.ts, which `--tune` finds: one seed, the lowest loss of any epoch on the last tenth of the training samples,
 * which are held out for that.
 */
import { dirname, join } from 'node:path';
import { draw } from './harness/figures.js';
import { choice, count, file, flag, maybe, program, STUDY, say, some, text } from './harness/program.js';
import { checkWritable, earlier, fromRoot, resultFile, write } from './harness/results.js';
import { firstOf, heldOut } from './harness/samples.js';
import { combinations, studyIn, upTo } from './harness/study.js';
import { type EpochPoint, type RunOptions, run } from './race/run.js';
import { type Setting, settingText } from './race/settings.js';
import { reconstructions, rowOf } from './tasks/picture.js';
import { bestOf, type Run, specificationOf, summaryOf, type TaskResult, tableOf } from './tasks/result.js';
import { BEST, GRIDS, METHODS, TASKS } from './tasks/settings.js';
import { autoencoder, imagesOf, language, type Task } from './tasks/task.js';

const OPTIONS = {
  task: choice(TASKS, 'autoencoder'),
  methods: some(METHODS),
  epochs: maybe(count(1)),
  samples: maybe(count(1)),
  seeds: count(3),
  dataset: text('fashion-mnist'),
  tune: flag,
  svg: file,
  picture: file,
  ...STUDY,
};

type Common = Omit<RunOptions, 'seed'>;

await program(
  OPTIONS,
  async ({ task: name, methods, dataset, dataDir, threads, tune: tunes, seeds, json, ...given }) => {
    const { epochs = tunes ? 5 : 20, samples = tunes ? 20_000 : Number.POSITIVE_INFINITY } = given;
    const whole = name === 'language' ? await language() : await autoencoder(dataset, dataDir);
    const task = { ...whole, train: firstOf(whole.train, samples) };
    if (tunes) {
      for (const method of methods) await tune(task, method, { epochs, threads }, json);
      return undefined;
    }
    const { out = resultFile(`tasks-${name}`), svg = fromRoot('docs/tasks.svg') } = given;
    const { picture = fromRoot('docs/reconstructions.svg') } = given;
    for (const each of [out, svg, ...(name === 'autoencoder' ? [picture] : [])]) await checkWritable(each);
    const result = await measure(task, methods, seeds, { epochs, threads }, out);
    say(`wrote ${out}`);
    if (result.originals !== undefined) {
      await write(picture, reconstructions(result));
      say(`wrote ${picture}`);
    }
    await draw(svg, specificationOf(await beside(result, out)));
    return { result: summaryOf(result), text: tableOf(result) };
  },
);

async function measure(task: Task, methods: readonly string[], seeds: number, options: Common, out: string) {
  const { name, title, data, layers, unit, reference, train, test } = task;
  const images = imagesOf(test);
  const side = Math.sqrt(images.columns);
  const head = {
    ...{ task: name, title, data, layers: layers.join('-'), unit, ...(reference && { reference }) },
    ...{ samples: train.x.rows, testSamples: test.x.rows, epochs: options.epochs },
    ...(name === 'autoencoder' && { originals: rowOf('test images', images.data, side) }),
  };
  const study = await studyIn<typeof head, Run>(out, head, options.threads, true);
  for (const { method, seed } of combinations({ method: methods, seed: upTo(seeds) })) {
    const setting = BEST[name][method] as Setting;
    const each = (point: EpochPoint): void => say(`${method} seed ${seed}  ${line(point)}`);
    const { run: its, shown } = await run(task, setting, { ...options, seed }, each, seed === 1);
    const picture = shown.images && rowOf(method, shown.images, side);
    const made = { ...(shown.text !== undefined && { text: shown.text }), ...(picture && { picture }) };
    await study.put({ method, seed }, { method, setting: settingText(setting), ...its, ...made });
  }
  return study.now();
}

/** A result and those of the other tasks in its folder, in the order of the tasks. */
async function beside(result: TaskResult, out: string): Promise<readonly TaskResult[]> {
  const fileOf = (name: string): string => join(dirname(out), `tasks-${name}.json`);
  const all = TASKS.map((name) => (name === result.task ? result : earlier<TaskResult>(fileOf(name))));
  return (await Promise.all(all)).filter((each) => each !== undefined);
}

async function tune(task: Task, method: string, options: Common, json: boolean): Promise<void> {
  const parts = { ...task, ...heldOut(task.train) };
  const tried: { readonly setting: string; readonly loss: number }[] = [];
  for (const setting of GRIDS[task.name][method] ?? []) {
    const { run: its } = await run(parts, setting, { ...options, seed: 1 }, () => undefined);
    const loss = (its.status === 'completed' && bestOf(its.points)?.testLoss) || Number.POSITIVE_INFINITY;
    tried.push({ setting: settingText(setting), loss });
    say(`${method} ${settingText(setting)}: ${Number.isFinite(loss) ? loss.toFixed(4) : its.status}`);
  }
  const best = tried.reduce((low, other) => (other.loss < low.loss ? other : low));
  console.log(
    json
      ? JSON.stringify({ task: task.name, method, best, tried })
      : `${method.padEnd(10)} ${best.loss.toFixed(4)} ${task.unit}   ${best.setting}`,
  );
}

function line({ epoch, testLoss, testAccuracy, seconds }: EpochPoint): string {
  const accuracy = testAccuracy === undefined ? '' : `  ${testAccuracy.toFixed(4)}`;
  return `${epoch}  ${testLoss.toFixed(4)}${accuracy}  ${seconds.toFixed(1)} s`;
}
