import { type Crossover, crossover } from './crossover.js';
import { BLOCKS, type Curve, curveOf, KINDS, type Kind, type Point, type Setting, type TimedBlock } from './curves.js';
import { cubicShare, fitPowerLaw, type PowerLaw } from './fit.js';

/** The kinds that the quadratic step is compared with. */
export type Inversion = Exclude<Kind, 'quadratic'>;

/** What the curve of one kind of step for one block says. */
export interface CurveReport {
  /** Slope of log time on log n, or null where there are too few widths. */
  readonly exponent: number | null;
  readonly ci: PowerLaw['ci'];
  readonly fit: PowerLaw | null;
  /** Share of n³ in the time at the largest width, by a fit of α n² + β n³; absent where the samples grow with n. */
  readonly cubicShare?: number | null;
  /** Measured share of the factorisation in the time at the largest width. */
  readonly factorShare: number;
  readonly points: readonly Point[];
}

type ByBlock<Value> = Partial<Record<TimedBlock, Value>>;

export interface SettingReport {
  readonly dtype: Setting['dtype'];
  readonly samples: Setting['samples'];
  readonly kinds: Partial<Record<Kind, ByBlock<CurveReport>>>;
  readonly crossovers: Record<TimedBlock, Partial<Record<Inversion, Crossover>>>;
  /** Time of the inversion step over that of the quadratic step at the largest width both have. */
  readonly speedups: Record<TimedBlock, Partial<Record<Inversion, { readonly n: number; readonly ratio: number }>>>;
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

function curveReport({ kind, points }: Curve, samples: Setting['samples']): CurveReport {
  const used = fitted(kind, points);
  const fit = fitPowerLaw(used);
  return {
    exponent: fit?.exponent ?? null,
    ci: fit?.ci ?? null,
    fit,
    ...(samples !== 'n' && { cubicShare: cubicShare(used) }),
    factorShare: points.at(-1)?.factorShare ?? 0,
    points,
  };
}

function speedup(quadratic: readonly Point[], inversion: readonly Point[]) {
  const last = inversion.at(-1);
  const other = quadratic.find(({ n }) => n === last?.n);
  return last && other ? { n: last.n, ratio: last.seconds / other.seconds } : undefined;
}

/** What the curves of one setting say. */
export function settingReport({ dtype, samples }: Setting, curves: readonly Curve[]): SettingReport {
  const kinds: SettingReport['kinds'] = {};
  const crossovers: SettingReport['crossovers'] = { W: {}, a: {} };
  const speedups: SettingReport['speedups'] = { W: {}, a: {} };
  for (const block of BLOCKS) {
    const quadratic = curveOf(curves, block, 'quadratic');
    for (const kind of KINDS[block]) {
      const points = curveOf(curves, block, kind);
      if (points.length === 0) continue;
      kinds[kind] = { ...kinds[kind], [block]: curveReport({ block, kind, points }, samples) };
      if (kind === 'quadratic') continue;
      crossovers[block][kind] = crossover(quadratic, points);
      const ratio = speedup(quadratic, points);
      if (ratio) speedups[block][kind] = ratio;
    }
  }
  return { dtype, samples, kinds, crossovers, speedups };
}

/** Plain sentences on where inversion is slower, and where it is not. */
export function sentences({ crossovers, kinds }: SettingReport): readonly string[] {
  return BLOCKS.flatMap((block) =>
    Object.entries(crossovers[block]).map(([kind, { n, reason, notSlowerAt }]) => {
      const who = `${block} by ${kind}`;
      if (n === null && notSlowerAt.length === 0) return `${who}: ${reason}`;
      const best = bestRatio(kinds, block, kind as Inversion);
      const where = `not slower than the quadratic step at n = ${notSlowerAt.join(', ')} (at best ${best.toFixed(2)} of its time)`;
      return n === null
        ? `${who}: no crossover, ${reason}; ${where}`
        : `${who}: slower from n = ${Math.round(n)} on; ${where}`;
    }),
  );
}

function bestRatio(kinds: SettingReport['kinds'], block: TimedBlock, kind: Inversion): number {
  const quadratic = new Map(kinds.quadratic?.[block]?.points.map(({ n, seconds }) => [n, seconds]));
  const ratios = (kinds[kind]?.[block]?.points ?? []).map(
    ({ n, seconds }) => seconds / (quadratic.get(n) ?? Number.NaN),
  );
  return Math.min(...ratios.filter(Number.isFinite));
}
