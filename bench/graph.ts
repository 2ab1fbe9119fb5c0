/**
 * dlADMM on graph convolutional networks beside Adam, and BADM and SISA on the graphs that BADM's paper would have them on:
 * test accuracy, seconds an iteration and peak memory.
 *
 * Cora and Citeseer have the split of Planetoid, and the seeds are those of the initialisation. The others are split at
 * random by the seed, 20 nodes of each class to train on, 30 to watch, the rest to test on. The accuracy is that of the
 * last iteration. Of several settings of a method (bench/graph/settings.ts) each graph takes the one of the best accuracy on the validation
 * nodes, mean over the first four seeds.
 *
 * Keeps FOLDER/graph-NAME.json (bench/results) and what was tried in graph-settings.json, and draws docs/graph.svg of all that there is.
 */
import { join } from 'node:path';
import { type GraphResult, type Head, type Run, rowsOf, specificationOf, tableOf } from './graph/result.js';
import { GRAPHS, METHODS, methodsFor, SETTINGS, type Setting, STANDARD_SPLIT, settingText } from './graph/settings.js';
import type { RunReply, RunRequest } from './graph/trainer.js';
import { startChild } from './harness/child.js';
import { draw } from './harness/figures.js';
import { count, file, flag, maybe, program, STUDY, say, some } from './harness/program.js';
import { checkWritable, earlier, fromRoot } from './harness/results.js';
import { mean } from './harness/statistics.js';
import { studyIn, upTo } from './harness/study.js';

const OPTIONS = {
  graphs: some(GRAPHS),
  methods: maybe(some(METHODS)),
  seeds: count(20),
  splits: count(40),
  svg: file,
  again: flag,
  ...STUDY,
};

/** The seeds that choose a setting. */
const CHOOSING = 4;

type Tried = Readonly<Record<'graph' | 'method' | 'setting', string>> & { readonly validationAccuracy: number };

await program(OPTIONS, async ({ graphs, methods, seeds, splits, threads, dataDir, again, ...given }) => {
  const { out = fromRoot('bench/results'), svg = fromRoot('docs/graph.svg') } = given;
  const fileOf = (graph: string): string => join(out, `graph-${graph}.json`);
  for (const each of [svg, ...graphs.map(fileOf)]) await checkWritable(each);
  const choices = await studyIn<object, Tried>(fileOf('settings'), {}, threads);
  for (const graph of graphs) {
    const isStandard = STANDARD_SPLIT.includes(graph);
    const head: Head = { graph, split: isStandard ? 'standard' : 'random' };
    for (const method of methods ?? methodsFor(graph)) {
      const study = await studyIn<Head, Run>(fileOf(graph), head, threads);
      using trainer = startChild<RunRequest, RunReply>('graph/trainer');
      const runOf = (setting: Setting, seed: number) => trainer.ask({ graph, dataDir, setting, seed, threads });
      const scores: { readonly its: Setting; readonly score: number }[] = [];
      for (const its of SETTINGS[method]) {
        const key = { graph, method, setting: settingText(its) };
        let found = choices.find(key);
        if (found === undefined && SETTINGS[method].length > 1) {
          const accuracies: number[] = [];
          for (const seed of upTo(CHOOSING)) accuracies.push((await runOf(its, seed)).validationAccuracy);
          found = { ...key, validationAccuracy: mean(accuracies) };
          await choices.put(key, found);
        }
        scores.push({ its, score: found?.validationAccuracy ?? 0 });
      }
      const best = scores.toSorted((a, b) => b.score - a.score)[0]?.its;
      if (best === undefined) continue;
      const setting = settingText(best);
      // Runs of another setting go.
      for (const seed of upTo(isStandard ? seeds : splits)) {
        if (!again && study.find({ method, setting, seed }) !== undefined) continue;
        const run = await runOf(best, seed);
        const accuracy = `test ${run.testAccuracy.toFixed(4)}, ${run.secondsPerIteration.toFixed(4)} s an iteration`;
        say(`${graph} ${method} ${seed}: ${accuracy}`);
        await study.put({ method, seed }, { method, setting, ...run });
      }
    }
  }
  const all = async (of: readonly string[]): Promise<readonly GraphResult[]> =>
    (await Promise.all(of.map((graph) => earlier<GraphResult>(fileOf(graph))))).filter((each) => each !== undefined);
  const found = await all(graphs);
  await draw(svg, specificationOf(await all(GRAPHS)));
  return { result: found.flatMap(rowsOf), text: tableOf(found) };
});
