import type { Machine } from '../harness/results.js';
import { mean, median, sampleStandardDeviation } from '../harness/statistics.js';
import { gigabytes, table } from '../harness/table.js';
import type { GraphRun } from './trainer.js';

/** What was measured of a method on a graph. */
export interface MethodResult {
  readonly method: string;
  readonly setting: string;
  readonly runs: readonly GraphRun[];
  readonly peakRssBytes: number;
}

/** The content of bench/results/graph-NAME.json. */
export interface GraphResult extends Machine {
  readonly graph: string;
  readonly nodes: number;
  readonly edges: number;
  readonly features: number;
  readonly classes: number;
  readonly split: 'standard' | 'random';
  readonly methods: readonly MethodResult[];
}

/** Mean and sample standard deviation; NaN deviation for a single value. */
export const spread = (values: readonly number[]): { readonly mean: number; readonly deviation: number } => ({
  mean: mean(values),
  deviation: values.length > 1 ? sampleStandardDeviation(values) : Number.NaN,
});

/** One line of the table. */
export interface Row {
  readonly graph: string;
  readonly method: string;
  readonly runs: number;
  readonly mean: number;
  readonly deviation: number;
  readonly validation: number;
  readonly secondsPerIteration: number;
  readonly peakRssBytes: number;
  readonly setting: string;
  /** How trainings ended that did not run to their end. */
  readonly ended: readonly string[];
}

export const rowsOf = ({ graph, methods }: GraphResult): readonly Row[] =>
  methods.map(({ method, setting, runs, peakRssBytes }) => ({
    graph,
    method,
    runs: runs.length,
    ...spread(runs.map(({ testAccuracy }) => testAccuracy)),
    validation: spread(runs.map(({ validationAccuracy }) => validationAccuracy)).mean,
    secondsPerIteration: median(runs.map(({ secondsPerIteration }) => secondsPerIteration)),
    peakRssBytes,
    setting,
    ended: [...new Set(runs.map(({ status }) => status))].filter((status) => status !== 'completed'),
  }));

/** `results` with `run` among the runs of a method; one of the same seed and setting is replaced. */
export function withRun(
  result: GraphResult,
  { method, setting, peakRssBytes }: Omit<MethodResult, 'runs'>,
  run: GraphRun,
): GraphResult {
  const known = result.methods.find((entry) => entry.method === method && entry.setting === setting);
  const others = (known?.runs ?? []).filter(({ seed }) => seed !== run.seed);
  const entry: MethodResult = {
    method,
    setting,
    runs: [...others, run].sort((a, b) => a.seed - b.seed),
    peakRssBytes: Math.max(known?.peakRssBytes ?? 0, peakRssBytes),
  };
  const at = result.methods.findIndex((candidate) => candidate.method === method);
  return { ...result, methods: at < 0 ? [...result.methods, entry] : result.methods.with(at, entry) };
}

/** The seeds that a method still lacks. */
export function missingSeeds(
  { methods }: Pick<GraphResult, 'methods'>,
  method: string,
  setting: string,
  seeds: number,
): readonly number[] {
  const known = methods.find((entry) => entry.method === method && entry.setting === setting);
  const have = new Set(known?.runs.map(({ seed }) => seed));
  return Array.from({ length: seeds }, (_, i) => i + 1).filter((seed) => !have.has(seed));
}

/** Why there are no figures for PubMed. */
export const PUBMED =
  'pubmed           not to be had whole: the file that is about has features for 1,060 of its 19,717 nodes; dblp, of about its size, stands in its place';

/** The table for a person. */
export function tableOf(results: readonly GraphResult[]): string {
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
