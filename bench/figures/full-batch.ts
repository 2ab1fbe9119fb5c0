/** dlADMM with its defaults by iteration, beside its peers, and against the clock. */
import type { Curve } from '../accuracy.js';
import type { Comparison } from '../compare/curves.js';
import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';
import type { KddResult } from '../kdd.js';
import type { Tuning } from '../race/chart.js';
import type { Run } from '../race/run.js';

/** Test accuracy, augmented Lagrangian and residuals; ‖r_l‖ is the root of the sum over the samples. */
export function accuracyOf(curves: readonly Curve[]): TopLevelSpec {
  const values = curves.flatMap(({ data, points }) =>
    points.flatMap(({ iteration, testAccuracy, lagrangian, residuals }) =>
      residuals.map((square, i) => ({
        data,
        iteration,
        accuracy: testAccuracy,
        objective: lagrangian,
        residual: Math.sqrt(square),
        constraint: i === residuals.length - 1 ? 'output' : `hidden ${i + 1}`,
      })),
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

const INVERSIONS: Readonly<Record<string, string>> = {
  'inversion-forward-1': 'inversion ADMM, forward start',
  'inversion-gaussian-1': 'inversion ADMM, N(0, 1) start',
};

interface Reached {
  readonly iteration: number;
  readonly testAccuracy: number;
}

const byData = { column: { field: 'data', type: 'nominal', title: null, sort: ['mnist', 'fashion-mnist'] } };

/** Test accuracy by iteration of dlADMM, of the inversion ADMM from its two starts, and of the full-batch gradient methods. */
export function peersOf(
  dladmm: readonly Curve[],
  inversion: readonly Comparison[],
  gradients: readonly KddResult[],
): TopLevelSpec {
  const rows = (data: string, method: string, points: readonly Reached[] = []) =>
    points.map(({ iteration, testAccuracy }) => ({ data, method, iteration, accuracy: testAccuracy }));
  const values = [
    ...dladmm.flatMap(({ data, points }) => rows(data, 'dlADMM', points)),
    ...inversion.flatMap(({ data, curves }) =>
      curves.flatMap(({ method, points }) => {
        const name = INVERSIONS[method];
        return name === undefined ? [] : rows(data, name, points);
      }),
    ),
    ...gradients.flatMap(({ data, runs }) =>
      runs.flatMap(({ method, iterations, points }) =>
        iterations < SELECTION ? [] : rows(data, `${method}, full batch`, points),
      ),
    ),
  ];
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

const runsIn = (entry: unknown): readonly Run[] =>
  typeof entry === 'object' && entry !== null && 'runs' in entry ? (entry.runs as readonly Run[]) : [];

/** Test accuracy against seconds of training: a race that ran to the end, and full-batch dlADMM. */
export function soonerOf(sweeps: readonly Curve[], races: readonly Tuning[]): TopLevelSpec {
  const raced = races.flatMap((race) =>
    Object.entries(race).flatMap(([method, entry]) =>
      (runsIn(entry)[0]?.accuracies ?? []).map((accuracy, i) => ({
        data: race.dataset,
        method,
        seconds: runsIn(entry)[0]?.elapsed?.[i] ?? Number.NaN,
        accuracy,
      })),
    ),
  );
  const swept = sweeps.flatMap(({ data, points }) => {
    let seconds = 0;
    return points.map((point) => {
      seconds += point.seconds;
      return { data, method: 'dlADMM, full batch', seconds, accuracy: point.testAccuracy };
    });
  });
  return figure({
    data: { values: [...raced, ...swept].filter(({ data, accuracy }) => accuracy >= (FROM[data] ?? 0)) },
    facet: byData,
    resolve: { scale: { y: 'independent' } },
    spec: lines({
      size: [340, 280],
      point: 15,
      x: logAlong('seconds', { title: 'seconds of training', axis: { format: '~s' } }),
      y: along('accuracy', { title: 'test accuracy', scale: { zero: false } }),
      color: coloured('method'),
    }),
  });
}
