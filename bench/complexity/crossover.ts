import type { Timing } from './fit.js';

/** Where an inversion step begins to be slower than the quadratic one, for good. */
export interface Crossover {
  /** The width, or null where the two curves do not cross for good. */
  readonly n: number | null;
  /** Why there is none. */
  readonly reason?: string;
  /** The measured widths at which the inversion step is not slower. */
  readonly notSlowerAt: readonly number[];
}

interface Gap {
  readonly n: number;
  /** log(time of the inversion step / time of the quadratic step). */
  readonly gap: number;
}

/** The widths that both curves have. */
function gaps(quadratic: readonly Timing[], inversion: readonly Timing[]): readonly Gap[] {
  const times = new Map(quadratic.map(({ n, seconds }) => [n, seconds]));
  return inversion
    .flatMap(({ n, seconds }) => {
      const other = times.get(n);
      return other === undefined ? [] : [{ n, gap: Math.log(seconds / other) }];
    })
    .sort((left, right) => left.n - right.n);
}

/** The smallest width above which the inversion step stays slower, the medians joined by lines in log n and log time. */
export function crossover(quadratic: readonly Timing[], inversion: readonly Timing[]): Crossover {
  const all = gaps(quadratic, inversion);
  const notSlowerAt = all.filter(({ gap }) => gap <= 0).map(({ n }) => n);
  const last = all.findLastIndex(({ gap }) => gap <= 0);
  const before = all[last];
  const after = all[last + 1];
  if (all.length === 0) return { n: null, reason: 'the curves have no width in common', notSlowerAt };
  if (before === undefined) return { n: null, reason: 'slower at every width measured', notSlowerAt };
  if (after === undefined) {
    const everywhere = notSlowerAt.length === all.length;
    return {
      n: null,
      reason: everywhere ? 'not slower at any width measured' : 'not slower at the largest width',
      notSlowerAt,
    };
  }
  const share = before.gap / (before.gap - after.gap);
  return { n: Math.exp(Math.log(before.n) + share * Math.log(after.n / before.n)), notSlowerAt };
}
