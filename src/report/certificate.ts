/** What theory promises of a training, and whether each of its iterations kept it. */
import type { Loss } from '../network/network.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { number } from './html.js';

export interface Promised {
  readonly what: string;
  /** Under which condition, and whether it holds here. */
  readonly when: string;
  readonly found: string;
}

/** H, a Lipschitz constant of ∇R for one sample. */
const SMOOTHNESS: Readonly<Partial<Record<Loss, number>>> = {
  'softmax-cross-entropy': 0.5,
  'squared-error': 1,
  'one-hot-squared-error': 1,
  'sigmoid-cross-entropy': 0.25,
  huber: 1,
};

/** Rounding of a sum in float32, relative to what is summed. */
const ROUNDING = 1e-6;

interface Told extends ProgressRecord {
  readonly lagrangian?: number;
  readonly dualIdentity?: number;
  readonly penalties?: Readonly<Record<string, unknown>>;
  readonly objective?: number;
  readonly kept?: boolean;
  readonly slope?: number;
}

/** Between which iterations a value rose though nothing that it is made of was changed from outside. */
function rises(records: readonly Told[], told: (record: Told) => number | undefined) {
  let [pairs, count, most, at] = [0, 0, 0, 0];
  for (const [i, record] of records.entries()) {
    const before = records[i - 1];
    const [was, is] = [before && told(before), told(record)];
    if (was === undefined || is === undefined) continue;
    if (JSON.stringify(before?.penalties) !== JSON.stringify(record.penalties)) continue;
    pairs += 1;
    const rise = (is - was) / Math.max(Math.abs(was), Math.abs(is), Number.MIN_VALUE);
    if (!(rise <= ROUNDING)) count += 1;
    if (rise > most) [most, at] = [rise, record.iteration];
  }
  const where = count > 0 ? `; most by ${number(most)} of it, in iteration ${at}` : '';
  return `${pairs - count} of ${pairs} iterations kept it${where}`;
}

/** What holds for the records of a splitting; nothing for gradient methods. */
export function promisesOf(records: readonly ProgressRecord[], loss: Loss): readonly Promised[] {
  const all = records as readonly Told[];
  const last = all.at(-1);
  if (last === undefined) return [];
  if (last.kept !== undefined && last.objective !== undefined) {
    return [
      {
        what: 'The kept objective F never rises',
        when: 'Always: a step that raises F is taken back.',
        found: rises(
          all.map(({ penalties: _, ...record }) => record),
          ({ objective }) => objective,
        ),
      },
      {
        what: 'Every step begins as a direction of descent, ⟨∇F, Δ⟩ > 0',
        when: 'Always, away from a stationary point.',
        found: `${all.filter(({ slope = 0 }) => slope > 0).length} of ${all.length} iterations kept it`,
      },
    ];
  }
  if (last.lagrangian === undefined || last.penalties === undefined) return [];
  const smooth = SMOOTHNESS[loss];
  const rho = Math.min(...all.map(({ penalties }) => Number(penalties?.rho)));
  const bound =
    smooth === undefined
      ? `Of dlADMM it is proved where ∇R is Lipschitz; that of ${loss} has no bound, so nothing is promised.`
      : `Of dlADMM, with samples of equal weight, it is proved where ρ > 2H; H = ${smooth} for ${loss}, and ρ is ${number(rho)}: ${rho > 2 * smooth ? 'promised' : 'not promised, though it may hold'}.`;
  const largest = Math.max(...all.map(({ dualIdentity = 0 }) => dualIdentity));
  return [
    {
      what: 'The augmented Lagrangian never rises',
      when: `${bound} Iterations that changed a penalty are left out.`,
      found: rises(all, ({ lagrangian }) => lagrangian),
    },
    {
      what: '∇R(z) + u = 0 after every iteration',
      when: 'Where z of the last layer is found exactly and followed by the dual step.',
      found: `largest entry ${number(largest)}`,
    },
  ];
}
