import { mean, median, sampleStandardDeviation } from '../harness/statistics.js';
import type { Study } from '../harness/study.js';
import { gigabytes, table } from '../harness/table.js';
import { METHODS } from './settings.js';
import type { RunReply } from './trainer.js';

/** What was measured of a method on a graph with a seed. */
export type Run = RunReply & { readonly method: string; readonly setting: string };

/** The content of bench/results/graph-NAME.json. */
export type GraphResult = Study<{ readonly graph: string; readonly split: 'standard' | 'random' }, Run>;

/** Mean and sample standard deviation; NaN deviation for a single value. */
export const spread = (values: readonly number[]): { readonly mean: number; readonly deviation: number } => ({
  mean: mean(values),
  deviation: values.length > 1 ? sampleStandardDeviation(values) : Number.NaN,
});

/** One line of the table for each method; `ended` tells how trainings ended that did not run to their end. */
export const rowsOf = ({ graph, runs: all }: Pick<GraphResult, 'graph' | 'runs'>) =>
  METHODS.flatMap((method) => {
    const runs = all.filter((run) => run.method === method);
    const [first] = runs;
    if (first === undefined) return [];
    return [
      {
        graph,
        method,
        runs: runs.length,
        ...spread(runs.map(({ testAccuracy }) => testAccuracy)),
        validation: mean(runs.map(({ validationAccuracy }) => validationAccuracy)),
        secondsPerIteration: median(runs.map(({ secondsPerIteration }) => secondsPerIteration)),
        peakRssBytes: Math.max(...runs.map((run) => run.peakRssBytes)),
        setting: first.setting,
        ended: [...new Set(runs.map(({ status }) => status))].filter((status) => status !== 'completed'),
      },
    ];
  });

/** Why there are no figures for PubMed. */
export const PUBMED =
  'pubmed           not to be had whole: the file that is about has features for 1,060 of its 19,717 nodes; dblp, of about its size, stands in its place';

/** The table for a person. */
export function tableOf(results: readonly Pick<GraphResult, 'graph' | 'runs'>[]): string {
  const rows = results
    .flatMap(rowsOf)
    .map((row) => [
      row.graph,
      row.method,
      `${row.mean.toFixed(4)}${Number.isNaN(row.deviation) ? '' : ` ± ${row.deviation.toFixed(4)}`}`,
      String(row.runs),
      row.secondsPerIteration.toFixed(4),
      gigabytes(row.peakRssBytes),
      [row.setting, ...row.ended].join('; '),
    ]);
  const head = ['graph', 'method', 'test accuracy', 'runs', 's/iteration', 'peak memory', 'setting'];
  return [table(head, rows), PUBMED].join('\n');
}
