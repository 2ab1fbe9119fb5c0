/** Options that several solvers have, declared once. */

import { expected } from '../../core/errors.js';
import { type GraphInitialisation, graphInitialisationOf } from '../../network/graph-initialisation.js';
import { type Initialisation, initialisationOf } from '../../network/initialisation.js';
import { classifies } from '../../network/network.js';
import { type About, number, option, type Schema, type ValueType, whole, word } from '../../network/schema.js';

const initialisation: ValueType<Initialisation> = {
  type: "'he' | 'glorot' | { gaussian: sd } | { scheme, gain } | { weights, biases } | a model",
  typed: { as: 'initialisation' },
  check: (value, _, { network, dtype }) => initialisationOf(value as Initialisation, network, dtype),
};

const graphInitialisation: ValueType<GraphInitialisation> = {
  type: "'glorot' | 'he' | { gaussian: sd } | { weights } | a model",
  typed: { as: 'initialisation' },
  check: (value, _, { network, dtype }) => graphInitialisationOf(value, network, dtype),
};

const SUITS = "'he' suits relu, elu, silu, gelu and softplus, 'glorot' sigmoid and tanh.";

const SCALED =
  "a scheme times a gain is one of these by its variance alone, 'lecun', 'orthogonal' or, with 2/n_l, 'msra'";

const BEGIN = {
  flag: 'init',
  says: `Where the weights and biases begin; ${SUITS.replace('.', ';')} ${SCALED}.`,
} as const;

/** Where the parameters begin. */
export const initialisedBy = (otherwise: Initialisation) => option(initialisation, { ...BEGIN, default: otherwise });

/** Where the weights of a graph convolutional network begin. */
export const graphInitialisedBy = (otherwise: GraphInitialisation) =>
  option(graphInitialisation, { ...BEGIN, says: `Where the weights begin; ${SUITS}`, default: otherwise });

/** The ordered updates of an iteration, by a function of the number of layers. */
export function sweepType<Sweep extends (L: number) => Iterable<unknown>, U>(
  list: (sweep: Sweep, L: number) => readonly U[],
): ValueType<Sweep, readonly U[]> {
  return {
    type: 'generator of updates',
    check: (value, _, { network }) => list(value as Sweep, network.layers.length - 1),
  };
}

/** How the sizes of quadratic steps are found. */
export const searchedBy = <Search extends Schema>(own: Search) =>
  ({
    ...own,
    growth: number(
      { min: 1.01 },
      { default: 2, symbol: 'γ, η', says: 'The growth of a search for the size of a step.' },
    ),
    refreshEvery: whole(0, {
      default: 25,
      says: 'Iterations between fresh products, which bound the drift of the kept ones; 0 for never.',
    }),
  }) as const;

/** Where the dual variable begins. */
export const dualBegins = <const D extends 'stationary' | 'zero'>(otherwise: D) =>
  word(['stationary', 'zero'], {
    default: otherwise as 'stationary' | 'zero',
    symbol: 'u',
    says: 'The dual variable: −∇R(z_L), from which the augmented Lagrangian falls at once, or 0.',
  });

/** z_L at the start. */
export const OUTPUTS = ['forward', 'signed-labels', 'gaussian'] as const;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where labels are to be signs but there are none */
export function checkOutput(output: (typeof OUTPUTS)[number], name: string, { network }: About): void {
  if (output !== 'signed-labels' || classifies(network.loss)) return;
  throw expected("'forward' or 'gaussian' (signed labels need classes)", `${name}.output`, output);
}

/** The losses of nodes, which have classes. */
export const LABEL_LOSS = word(['softmax-cross-entropy', 'hinge', 'one-hot-squared-error'], {
  default: 'softmax-cross-entropy',
  says: 'R: what the outputs are judged by; nodes have classes.',
});
