/** dlADMM with its defaults by iteration, beside its peers, and against the clock. */
import type { CompareCurve, Comparison } from '../compare/curves.js';
import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';
import { runsIn, type Tuning } from '../race/runs.js';

/** Test accuracy, augmented Lagrangian and residuals; ‖r_l‖ is the root of the sum over the samples. */
export function accuracyOf(dladmm: readonly Comparison[]): TopLevelSpec {
  const values = dladmm.flatMap(({ data, runs }) =>
    runs.flatMap(({ points }) =>
      points.flatMap(({ iteration, testAccuracy: accuracy, objective, residuals = [] }) =>
        residuals.map((square, i) => {
          const constraint = i === residuals.length - 1 ? 'output' : `hidden ${i + 1}`;
          return { data, iteration, accuracy, objective, residual: Math.sqrt(square), constraint };
        }),
      ),
    ),
  );
  const panel = (title: string, y: object, more: object = {}) =>
    lines({ size: [260, 220], title, x: along('iteration'), y, color: coloured('data'), ...more });
  return figure({
    data: { values },
    hconcat: [
      panel('test accuracy', along('accuracy', { title: null, scale: { domain: [0.7, 1] } })),
      panel('augmented Lagrangian', along('objective', { title: null, scale: { type: 'symlog' } })),
      panel('norms of the residuals', logAlong('residual', { title: null }), {
        strokeDash: { field: 'constraint', type: 'nominal', title: 'constraint' },
      }),
    ],
  });
}

/** Shorter runs of bench:kdd only chose a start. */
const SELECTION = 50;

/** What the picture calls a method; undefined where it has no place in it. */
function peerName({ method, options, iterations }: CompareCurve): string | undefined {
  if (method === 'dladmm') return 'dlADMM';
  if (method === 'inversion-forward-1') return 'inversion ADMM, forward start';
  if (method === 'inversion-gaussian-1') return 'inversion ADMM, N(0, 1) start';
  return 'batchSize' in options && 'solver' in options && iterations >= SELECTION
    ? `${options.solver}, full batch`
    : undefined;
}

const byData = { column: { field: 'data', type: 'nominal', title: null, sort: ['mnist', 'fashion-mnist'] } };

/** Test accuracy by iteration of dlADMM, of the inversion ADMM from its two starts, and of the full-batch gradient methods. */
export function peersOf(comparisons: readonly Comparison[]): TopLevelSpec {
  const values = comparisons.flatMap(({ data, runs }) =>
    runs.flatMap((run) => {
      const method = peerName(run);
      if (method === undefined) return [];
      return run.points.map(({ iteration, testAccuracy: accuracy }) => ({ data, method, iteration, accuracy }));
    }),
  );
  return figure({
    data: { values },
    facet: byData,
    spec: lines({
      size: [340, 300],
      x: along('iteration'),
      y: along('accuracy', { title: 'test accuracy', scale: { domain: [0.6, 1] } }),
      color: coloured('method'),
    }),
  });
}

/** Where the curves come together; what lies below is left out. */
const FROM: Readonly<Record<string, number>> = { mnist: 0.93, 'fashion-mnist': 0.82 };

/** Test accuracy against seconds of training, of races that ran to the end. */
export function soonerOf(races: readonly Tuning[]): TopLevelSpec {
  const values = races.flatMap(({ dataset: data, ...race }) =>
    Object.entries(race).flatMap(([method, entry]) => {
      const { accuracies = [], elapsed = [] } = runsIn(entry, 'runs')[0] ?? {};
      return accuracies.map((accuracy, i) => ({ data, method, seconds: elapsed[i] ?? Number.NaN, accuracy }));
    }),
  );
  return figure({
    data: { values: values.filter(({ data, accuracy }) => accuracy >= (FROM[data] ?? 0)) },
    facet: byData,
    resolve: { scale: { y: 'independent' } },
    spec: lines({
      size: [340, 280],
      point: 15,
      x: logAlong('seconds', { title: 'seconds of training', axis: { format: '~g' } }),
      y: along('accuracy', { title: 'test accuracy', scale: { zero: false } }),
      color: coloured('method'),
    }),
  });
}
