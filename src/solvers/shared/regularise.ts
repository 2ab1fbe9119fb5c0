import { DlAdmmError, expected } from '../../core/errors.js';
import type { NativeRegulariser } from '../../core/native-faces.js';
import {
  type About,
  type Complete,
  flag,
  group,
  number,
  type OptionsOf,
  option,
  type Schema,
  type ValueType,
} from '../../network/schema.js';
import type { StepChoice } from './step.js';

/** Ω_l of a layer: terms that add up, and bounds that hold exactly. */
const TERMS = {
  l1: number({ min: 0 }, { default: 0, says: 'λ Σ |w|: exact zeros.' }),
  l2: number({ min: 0 }, { default: 0, says: '(λ/2) Σ w²; with l1 the elastic net.' }),
  inputs: number({ min: 0 }, { default: 0, says: 'λ Σ_k ‖W_·k‖: whole inputs are left out.' }),
  neurons: number({ min: 0 }, { default: 0, says: 'λ Σ_j ‖W_j·‖: whole neurons are left out.' }),
  min: number({ min: -Number.MAX_VALUE }, { otherwise: 'none', says: 'No weight is less.' }),
  max: number({ min: -Number.MAX_VALUE }, { otherwise: 'none', says: 'No weight is more.' }),
  neuronNorm: number('positive', { otherwise: 'none', says: 'No ‖W_j·‖ is more.' }),
  norm: number('positive', { otherwise: 'none', says: '‖W‖ is no more.' }),
  zeroSum: flag({ default: false, says: 'The weights of every neuron add up to 0.' }),
} as const satisfies Schema;

/** What the weights of a layer cost, and the bounds that they keep. */
export type WeightTerms = OptionsOf<typeof TERMS>;

const ONE = group(TERMS, { otherwise: 'none', says: 'Ω_l of a layer.' });

/** As the addon takes it. @throws DlAdmmError ERR_DLADMM_RANGE for terms that contradict each other, or have no proximal step together */
function nativeTerms(
  { min, max, neuronNorm, norm, ...terms }: Complete<typeof TERMS>,
  name: string,
): NativeRegulariser {
  const [lower, upper] = [min ?? Number.NEGATIVE_INFINITY, max ?? Number.POSITIVE_INFINITY];
  const fail = (what: string): never => {
    const given = Object.entries({ ...terms, min, max, neuronNorm, norm }).filter(([, value]) => value);
    const text = given.map(([key, value]) => `${key}: ${value}`).join(', ');
    throw new DlAdmmError('ERR_DLADMM_RANGE', `Expected ${what} for ${name} but received { ${text} }`);
  };
  if (lower > upper) fail('min ≤ max, as no weight is both,');
  const groups = [terms.inputs > 0, terms.neurons > 0 || neuronNorm !== undefined, norm !== undefined].filter(Boolean);
  const bounded = min !== undefined || max !== undefined;
  const cone = (min ?? 0) === 0 && (max ?? 0) === 0;
  if (groups.length > 1)
    fail('one of inputs, neurons (with neuronNorm) and norm, as they have no proximal step together,');
  if (groups.length > 0 && !cone) fail('no bounds but 0 beside inputs, neurons, neuronNorm or norm');
  if (terms.zeroSum && (groups.length > 0 || terms.l1 > 0 || bounded)) fail('at most l2 beside zeroSum');
  const none = Number.POSITIVE_INFINITY;
  return { ...terms, lower, upper, neuronNorm: neuronNorm ?? none, norm: norm ?? none };
}

type OfLayers = WeightTerms | readonly WeightTerms[];

const ofLayers: ValueType<OfLayers, readonly NativeRegulariser[]> = {
  type: `{ ${Object.keys(TERMS).join(', ')} }, or one a layer`,
  typed: { as: 'regulariser' },
  check(value, name, about: About) {
    const layers = about.network.layers.length - 1;
    const one = (each: unknown, called: string) =>
      nativeTerms(ONE.read(each ?? {}, called, about) as Complete<typeof TERMS>, called);
    if (!Array.isArray(value)) {
      const terms = one(value, name);
      return new Array<NativeRegulariser>(layers).fill(terms);
    }
    if (value.length !== layers) throw expected(`${layers} of them, one a layer,`, name, value, 'ERR_DLADMM_SHAPE');
    return value.map((each, i) => one(each, `${name}[${i}]`));
  },
};

/** What the weights cost beside l2, and the bounds that they keep: Ω_l with exact proximal steps. */
export const REGULARISE = group(
  {
    W: option(ofLayers, {
      flag: 'regularise',
      otherwise: 'none',
      symbol: 'Ω_l',
      says: 'Of the weights, of one layer after the other or of all alike: { l1: 1e-4 } ends in exact zeros (docs/regularisers.md).',
    }),
  },
  { otherwise: 'none', says: 'Regularisers and constraints with exact proximal steps.' },
);

/**
 * What of the penalties is regularised by.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where a W is minimised over exactly, which knows of l2 alone
 */
export function regularisedBy(
  regularise: { readonly W?: readonly NativeRegulariser[] | undefined } | undefined,
  steps: readonly StepChoice[],
): { readonly regularisers?: readonly NativeRegulariser[] } {
  if (regularise?.W === undefined) return {};
  const exact = steps.find((kind) => kind !== 'quadratic');
  if (exact !== undefined) throw expected("'quadratic', as regularise takes proximal steps,", 'step.W', exact);
  return { regularisers: regularise.W };
}
