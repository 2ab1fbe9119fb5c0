import { checkObject } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import type { NativeRegulariser } from '../../core/native-faces.js';
import { present } from '../../core/objects.js';
import { classifies, type Network } from '../../network/network.js';
import {
  type About,
  type Complete,
  flag,
  group,
  NOTHING,
  number,
  type OptionsOf,
  option,
  type Schema,
  type ValueType,
} from '../../network/schema.js';
import { agrees, EQUAL_TERM, type Groups, numbered } from './equal.js';
import type { Update } from './sweep.js';

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
  nuclear: number({ min: 0 }, { default: 0, says: 'λ Σ σ_i(W): a low rank.' }),
  spectralNorm: number('positive', { otherwise: 'none', says: 'σ_1(W) is no more.' }),
  zeroSum: flag({ default: false, says: 'The weights of every neuron add up to 0.' }),
  equal: EQUAL_TERM,
} as const satisfies Schema;

/** Where code of the package says more of a layer than options can. */
export const HELD: unique symbol = Symbol('held');

/** What the weights of a layer cost, and the bounds that they keep. */
export type WeightTerms = OptionsOf<typeof TERMS> & {
  /** @internal */
  readonly [HELD]?: Pick<NativeRegulariser, 'centre' | 'kept'>;
};

const ONE = group(TERMS, { otherwise: 'none', says: 'Ω_l of a layer.' });

/** @throws DlAdmmError ERR_DLADMM_RANGE for what leaves no weight but 0 */
function feasible(terms: NativeRegulariser, name: string): NativeRegulariser {
  const { equal, zeroSum } = terms;
  if (equal === undefined || !zeroSum || !equal.every((group) => group === 1)) return terms;
  const text = `Expected an input that is not equal to all others for ${name} beside zeroSum: weights that are equal and add up to 0 are 0`;
  throw new DlAdmmError('ERR_DLADMM_RANGE', text);
}

/** As the addon takes it. @throws DlAdmmError ERR_DLADMM_RANGE for terms that contradict each other, or have no proximal step together */
function nativeTerms(
  { min, max, neuronNorm, norm, spectralNorm, equal, ...terms }: Complete<typeof TERMS>,
  name: string,
  inputs: number,
): NativeRegulariser {
  const [lower, upper] = [min ?? Number.NEGATIVE_INFINITY, max ?? Number.POSITIVE_INFINITY];
  const fail = (what: string): never => {
    const given = Object.entries({ ...terms, min, max, neuronNorm, norm, spectralNorm }).filter(([, value]) => value);
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
  const matrices = [terms.nuclear > 0 || spectralNorm !== undefined, terms.zeroSum].filter(Boolean);
  if (matrices.length + groups.length + (terms.l1 > 0 || bounded ? 1 : 0) > 1 && matrices.length > 0) {
    fail('at most l2 beside zeroSum, and beside nuclear and spectralNorm,');
  }
  const tied = equal && equal.length > 0 ? numbered(equal, inputs, `${name}.equal`) : undefined;
  const none = Number.POSITIVE_INFINITY;
  return feasible(
    {
      ...terms,
      ...present({ equal: tied }),
      lower,
      upper,
      neuronNorm: neuronNorm ?? none,
      norm: norm ?? none,
      spectralNorm: spectralNorm ?? none,
    },
    name,
  );
}

type OfLayers = WeightTerms | readonly WeightTerms[];

const ofLayers: ValueType<OfLayers, readonly NativeRegulariser[]> = {
  type: `{ ${Object.keys(TERMS).join(', ')} }, or one a layer`,
  typed: { as: 'regulariser' },
  check(value, name, about: About) {
    const layers = about.network.layers.length - 1;
    const one = (each: unknown, called: string, l: number) => ({
      ...nativeTerms(
        ONE.read(each ?? {}, called, about) as Complete<typeof TERMS>,
        called,
        about.network.layers[l] as number,
      ),
      ...(each as WeightTerms | undefined)?.[HELD],
    });
    if (!Array.isArray(value)) {
      return Array.from({ length: layers }, (_, l) => one(value, name, l));
    }
    if (value.length !== layers) throw expected(`${layers} of them, one a layer,`, name, value, 'ERR_DLADMM_SHAPE');
    return value.map((each, i) => one(each, `${name}[${i}]`, i));
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

/** By the place of an input: 1 where the outputs are to rise with it, −1 where they are to fall. */
type Monotone = Readonly<Record<string, 1 | -1>>;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkSign(sign: unknown, name: string): void {
  if (sign !== 1 && sign !== -1) throw expected('1 (rises) or −1 (falls)', name, sign);
}

const monotone: ValueType<Monotone> = {
  type: '{ column: 1 | -1 }',
  check(value, name) {
    checkObject(value, '{ column: 1 or −1 }', name);
    for (const [column, sign] of Object.entries(value)) checkSign(sign, `${name}.${column}`);
    return value as Monotone;
  },
};

/** Paths whose weights have signs. */
export const MONOTONE = option(monotone, {
  otherwise: 'none',
  says: 'Outputs (of two classes the second) rise with an input, 1, or fall with it, −1, whatever the others are: by the name of a numeric column, or by its place from 0 (docs/regularisers.md).',
});

const RISES: readonly unknown[] = ['relu', 'sigmoid', 'tanh', 'softplus', 'identity'];

/**
 * The signs that make a network monotone: r_j of the neurons of every layer, where r_j ∂(neuron j)/∂(input k) c_k ≥ 0 for the inputs with a
 * sign c_k. A third of the hidden neurons rise, a third fall, and a third know nothing of these inputs.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
function signsOf(given: Monotone, { layers, activation, loss }: Network): readonly Int32Array[] {
  const [n = 0] = layers;
  const inputs = new Int32Array(n);
  for (const [column, sign] of Object.entries(given)) {
    if (!/^\d+$/.test(column) || Number(column) >= n) {
      throw expected(
        `numeric columns by name, or places of inputs from 0 to ${n - 1},`,
        'monotone',
        column,
        'ERR_DLADMM_RANGE',
      );
    }
    inputs[Number(column)] = sign;
  }
  const rises =
    typeof activation === 'object'
      ? !('leakyRelu' in activation && activation.leakyRelu < 0)
      : RISES.includes(activation);
  if (!rises && layers.length > 2)
    throw expected(`${RISES.join(', ')}, leaky relu or elu, which only rise, with monotone,`, 'activation', activation);
  const outputs = layers.at(-1) ?? 0;
  const classes = classifies(loss) && loss !== 'sigmoid-cross-entropy' && outputs > 1;
  if (classes && outputs > 2)
    throw expected('two classes, of which the second rises, or numbers,', 'monotone', `${outputs} classes`);
  const hidden = layers
    .slice(1, -1)
    .map((width) => Int32Array.from({ length: width }, (_, j) => [1, -1, 0][j % 3] as number));
  return [inputs, ...hidden, Int32Array.from({ length: outputs }, (_, j) => (classes && j === 0 ? -1 : 1))];
}

interface Regularised {
  readonly regularise?: { readonly W?: readonly NativeRegulariser[] | undefined } | undefined;
  readonly monotone?: Monotone | undefined;
  readonly equal?: Groups | undefined;
}

const nothing = (): NativeRegulariser =>
  nativeTerms(ONE.read({}, 'regularise.W', NOTHING) as Complete<typeof TERMS>, 'regularise.W', 0);

/** What layers are asked for, and the equal inputs of the first. */
function tiedBy({ regularise, equal }: Regularised, { layers }: Network): readonly NativeRegulariser[] | undefined {
  const own = regularise?.W;
  if (equal === undefined || equal.length === 0) return own;
  const [first = nothing(), ...others] = own ?? layers.slice(1).map(nothing);
  if (first.equal !== undefined)
    throw new DlAdmmError(
      'ERR_DLADMM_RANGE',
      'Expected equal, or equal of the first layer in regularise.W, but received both',
    );
  if (first.kept !== undefined)
    throw new DlAdmmError('ERR_DLADMM_RANGE', 'Expected no equal where single weights are held');
  return [feasible({ ...first, equal: numbered(equal, layers[0] as number, 'equal') }, 'equal'), ...others];
}

/**
 * What penalties, or a session, have of it.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for what contradicts monotone paths
 */
export function regularisedBy(
  { monotone, ...terms }: Regularised,
  network: Network,
): { readonly regularisers?: readonly NativeRegulariser[] } {
  const own = tiedBy(terms, network);
  if (monotone === undefined || Object.keys(monotone).length === 0) return present({ regularisers: own });
  const signs = signsOf(monotone, network);
  return {
    regularisers: signs.slice(1).map((neuronSigns, l) => {
      const terms = own?.[l] ?? nothing();
      const { nuclear, spectralNorm, zeroSum, lower, upper } = terms;
      if (nuclear > 0 || spectralNorm < Infinity || zeroSum || lower > 0 || upper < 0) {
        const text = `Expected bounds that 0 is within, and no nuclear, spectralNorm or zeroSum, for regularise.W of layer ${l + 1} beside monotone, whose signs they contradict`;
        throw new DlAdmmError('ERR_DLADMM_RANGE', text);
      }
      if (!agrees(terms, signs[l] as Int32Array)) {
        const text = `Expected inputs of one sign in each group that is equal, of layer ${l + 1}, beside monotone: weights of two signs that are equal are 0`;
        throw new DlAdmmError('ERR_DLADMM_RANGE', text);
      }
      return { ...terms, neuronSigns, inputSigns: signs[l] as Int32Array };
    }),
  };
}

/** Whether every entry has a proximal step of its own, which a metric of one number an entry needs. */
export const isSeparable = ({ inputs, neurons, neuronNorm, norm, nuclear, spectralNorm, zeroSum }: NativeRegulariser) =>
  inputs + neurons + nuclear === 0 && Math.min(neuronNorm, norm, spectralNorm) === Number.POSITIVE_INFINITY && !zeroSum;

/** Whether a term of Ω, a bound, a sign or a group is there. */
function asks({ lower, upper, neuronNorm, norm, spectralNorm, ...terms }: NativeRegulariser): boolean {
  const bounds = [-lower, upper, neuronNorm, norm, spectralNorm];
  return bounds.some(Number.isFinite) || Object.values(terms).some(Boolean);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where a sweep leaves weights as they began of which something is asked */
export function checkSwept(sweep: readonly Update[], { regularisers = [] }: ReturnType<typeof regularisedBy>): void {
  const moves = (layer: number): boolean => sweep.some((update) => update.block === 'W' && update.layer === layer);
  const still = regularisers.findIndex((each, i) => asks(each) && !moves(i + 1)) + 1;
  if (still === 0) return;
  throw expected(`W(${still}), as regularise, monotone or equal ask something of its weights,`, 'sweep', sweep);
}
