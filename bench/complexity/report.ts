import { type Crossover, crossover } from './crossover.js';
import { BLOCKS, type Curve, curveOf, KINDS, type Kind, type Point, type Setting, type TimedBlock } from './curves.js';
import { cubicShare, fitPowerLaw, type PowerLaw } from './fit.js';

/** The kinds that the quadratic step is compared with. */
type Inversion = Exclude<Kind, 'quadratic'>;

/** What the curve of one kind of step for one block says. */
export interface CurveReport {
  /** Slope of log time on log n, or null where there are too few widths. */
  readonly exponent: number | null;
  readonly ci: PowerLaw['ci'];
  readonly fittedOver: PowerLaw['range'] | null;
  /** Share of n³ in the time at the largest width, by a fit of α n² + β n³; absent where the samples grow with n. */
  readonly cubicShare?: number | null;
  /** Measured share of the factorisation in the time at the largest width. */
  readonly factorShare: number;
  readonly points: readonly Point[];
}

type ByBlock<Value> = Record<TimedBlock, Partial<Record<Inversion, Value>>>;

/** What the curves of one setting say: of each kind of step and block, and of the inversions beside the quadratic step. */
export interface SettingReport extends Setting, Partial<Record<Kind, Partial<Record<TimedBlock, CurveReport>>>> {
  readonly crossover: ByBlock<number | null>;
  readonly notSlowerAt: ByBlock<readonly number[]>;
  /** Time of the inversion step over that of the quadratic step at the largest width both have. */
  readonly speedup: ByBlock<{ readonly n: number; readonly ratio: number }>;
  /** Plain sentences on where inversion is slower, and where it is not. */
  readonly notes: readonly string[];
}

/** From where on a power law is laid through a curve: the factorisations need larger matrices to show their order. */
const FIT_FROM: Readonly<Record<Kind, number>> = {
  quadratic: 512,
  pseudoinverse: 512,
  inverse: 1024,
  cholesky: 1024,
};
const FEWEST = 3;

/** The points that a line is laid through; all of them where too few are large. */
function fitted(kind: Kind, points: readonly Point[]): readonly Point[] {
  const large = points.filter(({ n }) => n >= FIT_FROM[kind]);
  return large.length < FEWEST ? points : large;
}

function curveReport(kind: Kind, points: readonly Point[], samples: Setting['samples']): CurveReport {
  const used = fitted(kind, points);
  const fit = fitPowerLaw(used);
  return {
    exponent: fit?.exponent ?? null,
    ci: fit?.ci ?? null,
    fittedOver: fit?.range ?? null,
    ...(samples !== 'n' && { cubicShare: cubicShare(used) }),
    factorShare: points.at(-1)?.factorShare ?? 0,
    points,
  };
}

/** What the curves of one setting say. */
export function settingReport(setting: Setting, curves: readonly Curve[]): SettingReport {
  const kinds: Partial<Record<Kind, Partial<Record<TimedBlock, CurveReport>>>> = {};
  const crossings: SettingReport['crossover'] = { W: {}, a: {} };
  const notSlowerAt: SettingReport['notSlowerAt'] = { W: {}, a: {} };
  const speedup: SettingReport['speedup'] = { W: {}, a: {} };
  const notes: string[] = [];
  for (const block of BLOCKS) {
    const quadratic = curveOf(curves, block, 'quadratic');
    for (const kind of KINDS[block]) {
      const points = curveOf(curves, block, kind);
      if (points.length === 0) continue;
      kinds[kind] = { ...kinds[kind], [block]: curveReport(kind, points, setting.samples) };
      if (kind === 'quadratic') continue;
      const found = crossover(quadratic, points);
      crossings[block][kind] = found.n === null ? null : Math.round(found.n);
      notSlowerAt[block][kind] = found.notSlowerAt;
      const ratios = points.flatMap(({ n, seconds }) => {
        const other = quadratic.find((at) => at.n === n);
        return other === undefined ? [] : [{ n, ratio: seconds / other.seconds }];
      });
      const last = ratios.at(-1);
      if (last) speedup[block][kind] = last;
      notes.push(`${block} by ${kind}: ${sentence(found, Math.min(...ratios.map(({ ratio }) => ratio)))}`);
    }
  }
  return { ...setting, ...kinds, crossover: crossings, notSlowerAt, speedup, notes };
}

function sentence({ n, reason = '', notSlowerAt }: Crossover, best: number): string {
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
