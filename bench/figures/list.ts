/** The pictures of the documentation by the names of their files, each from committed results alone. */
import { type KktResult, kktSpecification } from '../approximate/kkt.js';
import { type TaskResult as Approximation, specificationOf as approximate } from '../approximate/report.js';
import type { Comparison } from '../compare/curves.js';
import { specificationOf as complexity, type ReportJson, reportsOf } from '../complexity/report.js';
import { type DefaultsPoint, specificationOf as defaults } from '../defaults/runs.js';
import { type GraphResult, specificationOf as graph } from '../graph/result.js';
import { GRAPHS } from '../graph/settings.js';
import type { TopLevelSpec } from '../harness/figures.js';
import { result } from '../harness/results.js';
import type { Tuning } from '../race/runs.js';
import { frontierOf, type Judged } from './frontier.js';
import { accuracyOf, peersOf, soonerOf } from './full-batch.js';
import { type Pruned, prunedOf } from './pruned.js';

const SETS = ['mnist', 'fashion-mnist'] as const;

const each = <T>(names: readonly string[], prefix: string): Promise<readonly T[]> =>
  Promise.all(names.map((name) => result<T>(`${prefix}-${name}`)));

export const FIGURES = {
  accuracy: async () => accuracyOf(await each<Comparison>(SETS, 'accuracy')),
  approximate: async () =>
    approximate(await each<Approximation>(['x2', 'uv', 'l1-radial', 'l2-radial'], 'approximate')),
  complexity: async () => complexity(reportsOf(await result<ReportJson>('complexity'))),
  frontier: async () => frontierOf((await result<{ readonly runs: readonly Judged[] }>('frontier')).runs),
  graph: async () => graph(await each<GraphResult>(GRAPHS, 'graph')),
  kkt: async () =>
    kktSpecification((await result<{ readonly results: readonly KktResult[] }>('approximate-kkt')).results),
  'minibatch-defaults': async () =>
    defaults((await result<{ readonly runs: readonly DefaultsPoint[] }>('minibatch-defaults')).runs),
  peers: async () =>
    peersOf((await Promise.all(['accuracy', 'compare', 'kdd'].map((name) => each<Comparison>(SETS, name)))).flat()),
  pruned: async () => prunedOf(await result<{ readonly runs: readonly Pruned[] }>('compress')),
  sooner: async () => soonerOf(await each<Tuning>(SETS, 'sooner')),
} satisfies Readonly<Record<string, () => Promise<TopLevelSpec>>>;
export type FigureName = keyof typeof FIGURES;
