import { along, coloured, figure, type TopLevelSpec } from '../harness/figures.js';
import { mean, median, sampleStandardDeviation } from '../harness/statistics.js';
import type { Study } from '../harness/study.js';
import { gigabytes, table } from '../harness/table.js';
import { METHODS } from './settings.js';
import type { RunReply } from './trainer.js';

/** What was measured of a method on a graph with a seed. */
export type Run = RunReply & { readonly method: string; readonly setting: string };

/** The content of bench/results/graph-NAME.json. */
export type GraphResult = Study<Head, Run>;
export type Head = { readonly graph: string; readonly split: 'standard' | 'random' };

/** Mean and sample standard deviation; NaN deviation for a single value. */
export const spread = (values: readonly number[]): { readonly mean: number; readonly deviation: number } => ({
  mean: mean(values),
  deviation: values.length > 1 ? sampleStandardDeviation(values) : Number.NaN,
});

/** By how much a method is more accurate than Adam's control on the same seeds, mean and standard error. */
function overAdam(runs: readonly Run[], method: string) {
  const control = new Map(runs.filter((run) => run.method === 'adam').map((run) => [run.seed, run.testAccuracy]));
  const shared = runs.filter((run) => run.method === method && control.has(run.seed));
  const { mean, deviation } = spread(shared.map((run) => run.testAccuracy - (control.get(run.seed) ?? 0)));
  return { overAdam: mean, standardError: deviation / Math.sqrt(shared.length) };
}

/** One line of the table for each method; `ended` tells how trainings ended that did not run to their end. */
export const rowsOf = ({ graph, runs: all }: Pick<GraphResult, 'graph' | 'runs'>) =>
  METHODS.flatMap((method) => {
    const runs = all.filter((run) => run.method === method);
    return runs.slice(0, 1).map(({ setting }) => ({
      graph,
      method,
      runs: runs.length,
      ...spread(runs.map(({ testAccuracy }) => testAccuracy)),
      ...overAdam(all, method),
      validation: mean(runs.map(({ validationAccuracy }) => validationAccuracy)),
      secondsPerIteration: median(runs.map(({ secondsPerIteration }) => secondsPerIteration)),
      peakRssBytes: Math.max(...runs.map((run) => run.peakRssBytes)),
      setting,
      ended: [...new Set(runs.map(({ status }) => status))].filter((status) => status !== 'completed'),
    }));
  });

/** Why there are no figures for PubMed. */
const PUBMED =
  'pubmed           not to be had whole: the file that is about has features for 1,060 of its 19,717 nodes; dblp, of about its size, stands in its place';

/** The table for a person. */
export function tableOf(results: readonly Pick<GraphResult, 'graph' | 'runs'>[]): string {
  const rows = results.flatMap(rowsOf).map(({ graph, method, mean, deviation, runs, ...row }) => {
    const accuracy = `${mean.toFixed(4)}${Number.isNaN(deviation) ? '' : ` ± ${deviation.toFixed(4)}`}`;
    const cost = [row.secondsPerIteration.toFixed(4), gigabytes(row.peakRssBytes)];
    const over = method === 'adam' ? '' : `${row.overAdam.toFixed(4)} ± ${row.standardError.toFixed(4)}`;
    return [graph, method, accuracy, over, `${runs}`, ...cost, [row.setting, ...row.ended].join('; ')];
  });
  const head = ['graph', 'method', 'test accuracy', 'over adam ± s.e.', 'runs', 's/iteration', 'peak memory'];
  return [table([...head, 'setting'], rows), PUBMED].join('\n');
}

/** Test accuracies on every graph: a dot a run, a tick at their mean. */
export function specificationOf(results: readonly GraphResult[]): TopLevelSpec {
  const values = results.flatMap(({ graph, runs }) =>
    runs.map(({ method, testAccuracy }) => ({ graph, method, testAccuracy })),
  );
  const sort = [...new Set(values.map(({ method }) => method))];
  const graphs = results.map(({ graph }) => graph);
  const place = {
    x: { field: 'graph', type: 'nominal', title: null, sort: graphs, axis: { labelAngle: 0 } },
    xOffset: { field: 'method', sort },
    color: coloured('method', { sort }),
  };
  const y = along('testAccuracy', { title: 'test accuracy', scale: { zero: false } });
  return figure({
    width: 120 * Math.max(1, results.length),
    height: 260,
    data: { values },
    layer: [
      { mark: { type: 'point', filled: true, size: 14, opacity: 0.5 }, encoding: { ...place, y } },
      { mark: { type: 'tick', thickness: 2, size: 18 }, encoding: { ...place, y: { ...y, aggregate: 'mean' } } },
    ],
  });
}
