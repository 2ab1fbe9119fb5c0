/**
 * Whether the defaults of mini-batch dlADMM need tuning: every task with η from about a third to three times its default
 * (a tenfold range), everything else as it stands, and Adam beside it over the same range about its own default.
 *
 * Features are standardised, and the target of a regression too; pixels are taken as they are. `adult` is read from
 * FOLDER/tabular/adult and left out where it is not there. Every run is kept in bench/results/minibatch-defaults.json as it ends: a call that
 * was interrupted goes on (`--anew` begins again). Draws docs/minibatch-defaults.svg.
 */
import { type DefaultsPoint, METHODS, run, specificationOf, stepped } from './defaults/runs.js';
import { loadTask, TASKS } from './defaults/tasks.js';
import { draw } from './harness/figures.js';
import { count, file, flag, maybe, program, STUDY, say, some } from './harness/program.js';
import { fromRoot, resultFile } from './harness/results.js';
import { median } from './harness/statistics.js';
import { combinations, studyIn, upTo } from './harness/study.js';
import { table } from './harness/table.js';

const OPTIONS = {
  tasks: maybe(some(TASKS)),
  methods: some(METHODS),
  seeds: count(1),
  epochs: maybe(count(1)),
  svg: file,
  anew: flag,
  ...STUDY,
};

await program(OPTIONS, async ({ methods, seeds, epochs, threads, dataDir, anew, ...given }) => {
  const choices = stepped(methods);
  const { tasks: asked = TASKS, out = resultFile('minibatch-defaults') } = given;
  const study = await studyIn<object, DefaultsPoint>(out, {}, threads, anew);
  for (const name of asked) {
    const task = await loadTask(name, dataDir);
    if (task === undefined) {
      say(`${name}: its files are not there; --data-dir FOLDER says where`);
      continue;
    }
    for (const { choice, seed } of combinations({ choice: choices, seed: upTo(seeds) })) {
      const key = { task: name, method: choice.method, factor: choice.factor, seed };
      if (study.find(key) !== undefined) continue;
      const point = await run(task, choice, seed, epochs ?? task.epochs, threads);
      say(`${name} ${choice.method} x ${choice.factor}: ${point.status} ${point.scores.map((s) => s.toFixed(4))}`);
      await study.put(key, point);
    }
  }
  const points = study.now().runs;
  await draw(given.svg ?? fromRoot('docs/minibatch-defaults.svg'), specificationOf(points));
  // The first and the last score of every choice: medians of the seeds.
  const tasks = [...new Set(points.map(({ task }) => task))].filter((each) => asked.some((name) => name === each));
  const rows = combinations({ task: tasks, choice: choices }).map(({ task, choice: { method, factor } }) => {
    const runs = points.filter((each) => each.task === task && each.method === method && each.factor === factor);
    const at = (place: number): string => median(runs.map(({ scores }) => scores.at(place) ?? Number.NaN)).toFixed(4);
    return [task, method, `${factor}`, at(0), at(-1)];
  });
  return { result: { points }, text: table(['task', 'method', 'factor', 'first', 'last'], rows) };
});
