/** What the curves of a setting say, as an object, a table and a picture. */
import type { StepKind } from 'dladmm/solvers';
import { coloured, figure, logAlong, type TopLevelSpec } from '../harness/figures.js';
import { mean } from '../harness/statistics.js';
import { table } from '../harness/table.js';
import { crossover, cubicShare, fitPowerLaw, ratiosOf } from './fit.js';
import { BLOCKS, type Curve, KINDS, type Point, type Setting, type TimedBlock } from './measure.js';

type CurveReport = ReturnType<typeof curveReport>;
type ByBlock<Value> = Record<TimedBlock, Partial<Record<Exclude<StepKind, 'quadratic'>, Value>>>;

/** What the curves of one setting say: of each kind of step and block, and of the inversions beside the quadratic step. */
export interface SettingReport extends Setting, Partial<Record<StepKind, Partial<Record<TimedBlock, CurveReport>>>> {
  readonly crossover: ByBlock<number | null>;
  readonly notSlowerAt: ByBlock<readonly number[]>;
  /** Time of the inversion step over that of the quadratic step at the largest width both have. */
  readonly speedup: ByBlock<{ readonly n: number; readonly ratio: number }>;
  /** Plain sentences on where inversion is slower, and where it is not. */
  readonly notes: readonly string[];
}

/** From where on a power law is laid through a curve: the factorisations need larger matrices to show their order. */
const FIT_FROM = { quadratic: 512, pseudoinverse: 512, inverse: 1024, cholesky: 1024 } as const;
const FEWEST = 3;

/** What the curve of one kind of step for one block says. */
function curveReport(kind: StepKind, points: readonly Point[], samples: Setting['samples']) {
  const large = points.filter(({ n }) => n >= FIT_FROM[kind]);
  const used = large.length < FEWEST ? points : large;
  const fit = fitPowerLaw(used);
  return {
    /** Slope of log time on log n, or null where there are too few widths. */
    exponent: fit?.exponent ?? null,
    ci: fit?.ci ?? null,
    fittedOver: fit?.range ?? null,
    /** Share of n³ in the time at the largest width, by a fit of α n² + β n³; absent where the samples grow with n. */
    ...(samples !== 'n' && { cubicShare: cubicShare(used) }),
    /** Measured share of the factorisation in the time at the largest width. */
    factorShare: points.at(-1)?.factorShare ?? 0,
    points,
  };
}

/** What the curves of one setting say. */
export function settingReport(setting: Setting, curves: readonly Curve[]): SettingReport {
  const kinds: Partial<Record<StepKind, Partial<Record<TimedBlock, CurveReport>>>> = {};
  const crossings: SettingReport['crossover'] = { W: {}, a: {} };
  const notSlowerAt: SettingReport['notSlowerAt'] = { W: {}, a: {} };
  const speedup: SettingReport['speedup'] = { W: {}, a: {} };
  const notes: string[] = [];
  for (const block of BLOCKS) {
    const of = (kind: StepKind): readonly Point[] =>
      curves.find((curve) => curve.block === block && curve.kind === kind)?.points ?? [];
    for (const kind of KINDS[block]) {
      const points = of(kind);
      if (points.length === 0) continue;
      kinds[kind] = { ...kinds[kind], [block]: curveReport(kind, points, setting.samples) };
      if (kind === 'quadratic') continue;
      const ratios = ratiosOf(of('quadratic'), points);
      const found = crossover(ratios);
      crossings[block][kind] = found.n === null ? null : Math.round(found.n);
      notSlowerAt[block][kind] = found.notSlowerAt;
      const last = ratios.at(-1);
      if (last) speedup[block][kind] = last;
      notes.push(`${block} by ${kind}: ${sentence(found, Math.min(...ratios.map(({ ratio }) => ratio)))}`);
    }
  }
  return { ...setting, ...kinds, crossover: crossings, notSlowerAt, speedup, notes };
}

function sentence({ n, reason = '', notSlowerAt }: ReturnType<typeof crossover> & { reason?: string }, best: number) {
  if (n === null && notSlowerAt.length === 0) return reason;
  const where = `not slower than the quadratic step at n = ${notSlowerAt.join(', ')} (at best ${best.toFixed(2)} of its time)`;
  return n === null ? `no crossover, ${reason}; ${where}` : `slower from n = ${Math.round(n)} on; ${where}`;
}

/** All settings as one object: the first type on a fixed number of samples at its top, the others under what differs. */
export type ReportJson = Nested & { readonly samplesEqualN: Nested };
type Nested = Partial<SettingReport> & { readonly [K in Setting['dtype']]?: SettingReport };

export function reportJson(reports: readonly SettingReport[]): ReportJson {
  const nested = (of: readonly SettingReport[]): Nested =>
    Object.assign({}, ...of.map((report, i) => (i === 0 ? report : { [report.dtype]: report })));
  return {
    ...nested(reports.filter(({ samples }) => samples !== 'n')),
    samplesEqualN: nested(reports.filter(({ samples }) => samples === 'n')),
  };
}

/** The reverse. */
export const reportsOf = ({ samplesEqualN, ...fixed }: ReportJson): readonly SettingReport[] =>
  [fixed, samplesEqualN]
    .flatMap((nested) => [nested, nested.float32, nested.float64])
    .filter((report): report is SettingReport => report?.dtype !== undefined);

const titleOf = ({ dtype, samples }: Setting): string =>
  `${dtype}, ${samples === 'n' ? 'samples = n' : `${samples} samples`}`;

/** The curves that a report has. */
const curvesOf = (report: SettingReport, blocks = BLOCKS) =>
  blocks.flatMap((block) =>
    KINDS[block].flatMap((kind) => {
      const curve = report[kind]?.[block];
      return curve ? [{ block, kind, curve }] : [];
    }),
  );

function exponentText({ exponent, ci }: CurveReport): string {
  if (exponent === null) return '-';
  return ci === null ? exponent.toFixed(2) : `${exponent.toFixed(2)} ±${((ci[1] - ci[0]) / 2).toFixed(2)}`;
}

/** The table of one setting, and what is to be said of it. */
export function tableOf(report: SettingReport): string {
  const columns = curvesOf(report);
  const sizes = [...new Set(columns.flatMap(({ curve }) => curve.points.map(({ n }) => n)))].sort((l, r) => l - r);
  const row = (head: string, cell: (column: (typeof columns)[number]) => string) => [head, ...columns.map(cell)];
  const percent = (share: number | null | undefined): string =>
    typeof share === 'number' ? `${(100 * share).toFixed(0)} %` : '-';
  const at = (points: readonly Point[], n: number): string => {
    const seconds = points.find((point) => point.n === n)?.seconds;
    return seconds === undefined ? '-' : (1e3 * seconds).toPrecision(3);
  };
  const rows = [
    ...sizes.map((n) => row(`${n}`, ({ curve }) => at(curve.points, n))),
    row('exponent, 95 %', ({ curve }) => exponentText(curve)),
    row('  fitted over n =', ({ curve }) => curve.fittedOver?.join(' to ') ?? '-'),
    row('share of n³ (fitted)', ({ curve }) => percent(curve.cubicShare)),
    row('share of factorisation', ({ kind, curve }) => percent(kind === 'quadratic' ? null : curve.factorShare)),
    row('times the quadratic', ({ block, kind }) =>
      kind === 'quadratic' ? '-' : (report.speedup[block][kind]?.ratio.toFixed(1) ?? '-'),
    ),
  ];
  return [
    `${titleOf(report)}: milliseconds an update, medians`,
    table(['n', ...columns.map(({ block, kind }) => `${block} ${kind}`)], rows),
    '',
    ...report.notes,
  ].join('\n');
}

/** The seconds of the least-squares line at both its ends: it goes through the middle of what it was laid through. */
function lineOf({ exponent, fittedOver, points }: CurveReport): readonly { n: number; seconds: number }[] {
  if (exponent === null || fittedOver === null) return [];
  const used = points.filter(({ n }) => n >= fittedOver[0] && n <= fittedOver[1]);
  const intercept = mean(used.map(({ n, seconds }) => Math.log(seconds) - exponent * Math.log(n)));
  return fittedOver.map((n) => ({ n, seconds: Math.exp(intercept) * n ** exponent }));
}

/** Every mark of the picture: the medians, both ends of each fitted line, the crossovers. */
export const marksOf = (reports: readonly SettingReport[]) =>
  reports.flatMap((report) =>
    BLOCKS.flatMap((block) => {
      const panel = { panel: titleOf(report), block: `${block} update` };
      const curves = curvesOf(report, [block]).flatMap(({ kind, curve }) => {
        const label = curve.exponent?.toFixed(2) ?? '';
        const own = { ...panel, kind };
        const ends = lineOf(curve).map((end, i) => ({ ...own, part: 'fit', ...end, ...(i === 1 && { label }) }));
        return [...curve.points.map(({ n, seconds }) => ({ ...own, part: 'measured', n, seconds })), ...ends];
      });
      const crossings = Object.entries(report.crossover[block]).flatMap(([kind, n]) =>
        n === null ? [] : [{ ...panel, kind, part: 'crossover', n, label: `n = ${n}` }],
      );
      return [...curves, ...crossings];
    }),
  );

const COLOURS = { quadratic: '#1f77b4', inverse: '#d62728', cholesky: '#2ca02c', pseudoinverse: '#9467bd' };

/** Log-log panels: a row for each setting, a column for each block. */
export function specificationOf(reports: readonly SettingReport[]): TopLevelSpec {
  const widthAxis = { scale: { base: 2 }, axis: { format: 'd', tickCount: 7 } };
  const x = logAlong('n', { title: 'n (width of the layers)', ...widthAxis });
  const y = logAlong('seconds', { title: 'seconds an update', axis: { tickCount: 6 } });
  const scale = { domain: Object.keys(COLOURS), range: Object.values(COLOURS) };
  const color = coloured('kind', { title: 'step', scale });
  const text = { field: 'label', type: 'nominal' };
  const part = (equal: string, mark: object, encoding: object, ...more: readonly object[]) => ({
    transform: [{ filter: { field: 'part', equal } }, ...more],
    mark,
    encoding,
  });
  const rule = { type: 'rule', strokeWidth: 1, strokeDash: [2, 2] };
  const dashed = { type: 'line', strokeWidth: 1, strokeDash: [4, 3], color: 'black' };
  const label = { type: 'text', align: 'left' };
  const upright = { ...label, baseline: 'top', angle: 90, dx: 4, dy: 2, y: 0, fontSize: 9 };
  return figure({
    title: {
      text: 'One update by the width of the layers',
      subtitle: 'dashed: least-squares lines with their slopes; upright: from here on inversion is slower',
    },
    data: { values: [...marksOf(reports)] },
    facet: {
      row: { field: 'panel', type: 'nominal', title: null, sort: reports.map(titleOf) },
      column: { field: 'block', type: 'nominal', title: null, sort: BLOCKS.map((block) => `${block} update`) },
    },
    spec: {
      width: 320,
      height: 240,
      layer: [
        part('measured', { type: 'line', strokeWidth: 2.5, point: { size: 24 } }, { x, y, color }),
        part('fit', dashed, { x, y, detail: { field: 'kind' } }),
        part('fit', { ...label, dx: 6, fontSize: 10 }, { x, y, color, text }, { filter: 'isValid(datum.label)' }),
        part('crossover', rule, { x, color }),
        part('crossover', upright, { x, color, text }),
      ],
    },
  });
}
