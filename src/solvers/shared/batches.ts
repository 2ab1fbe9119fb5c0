/** Solvers that step by the gradients of batches: what is the same for all methods, on samples and on graphs. */

import { type Complete, flag, number, perLayer, type Schema, whole, word } from '../../network/schema.js';
import { graphInitialisedBy, initialisedBy, LABEL_LOSS } from './declared.js';
import { defineSolver } from './descriptor.js';
import { checkDivides, type GradientMethod, L2, METHODS, type MethodName, methodOf, rate } from './methods.js';
import { gradients } from './splittings/gradient.js';
import { graphGradients } from './splittings/graph-gradient.js';

const reduction = word(['mean', 'sum'], {
  default: 'mean',
  says: 'What a batch minimises: the mean of R over its samples, or the sum.',
});

const ON_SAMPLES = {
  l2: L2,
  batchSize: whole(
    1,
    {
      otherwise: '128, for gd all samples',
      says: 'Samples a batch, all where there are fewer; the last of an epoch has what is left.',
    },
    2 ** 31 - 1,
  ),
  reduction,
  shuffle: flag({ default: true, says: 'A new order of the samples every epoch.' }),
  initialisation: initialisedBy('he'),
} as const satisfies Schema;

/** The settings of Kipf and Welling (2017). */
const ON_GRAPH = {
  loss: LABEL_LOSS,
  l2: perLayer(
    { min: 0 },
    {
      derive: ({ network }) => network.layers.slice(1).map((_, l) => (l === 0 ? 5e-4 : 0)),
      otherwise: '5e-4 for the first layer, 0 for the others',
      symbol: 'λ_l',
      says: 'Weight decay: g ← g + λ_l w.',
    },
  ),
  dropout: number('fraction', { default: 0.5, says: 'The share of what goes into each layer that a step leaves out.' }),
  reduction,
  initialisation: graphInitialisedBy('glorot'),
} as const satisfies Schema;

/** A method by its name, and how it is told of. */
interface Told<M extends MethodName> {
  readonly name: M;
  readonly title: string;
  readonly source?: string;
}

export const onSamples = <const M extends MethodName>(told: Told<M>) => define(told, METHODS[told.name]);

/** The same on a graph; adam steps ten times as far there. */
export const onGraphs = <const M extends MethodName>(told: Told<M>) =>
  defineOnGraph<M, (typeof METHODS)[M]>(told, {
    ...METHODS[told.name],
    ...(told.name === 'adam' && { learningRate: rate(0.01) }),
  });

const define = <M extends MethodName, S extends Schema>(told: Told<M>, settings: S) =>
  defineSolver({
    ...told,
    splitting: gradients,
    iterations: 10,
    options: { ...settings, ...ON_SAMPLES } as S & typeof ON_SAMPLES,
    plan: (own) => {
      const { l2, batchSize, reduction, shuffle, initialisation, ...rest } = own as Complete<typeof ON_SAMPLES>;
      const method = { solver: told.name, l2, ...rest } as unknown as GradientMethod;
      const { subBatches } = methodOf(method);
      if (batchSize !== undefined) checkDivides(subBatches, batchSize, 'subBatches');
      return { method, ...(batchSize !== undefined && { batchSize }), reduction, shuffle, initialisation };
    },
  });

const defineOnGraph = <M extends MethodName, S extends Schema>(told: Told<M>, settings: S) =>
  defineSolver({
    ...told,
    title: `${told.title}, on a graph convolutional network`,
    splitting: graphGradients,
    iterations: 200,
    options: { ...settings, ...ON_GRAPH } as S & typeof ON_GRAPH,
    plan: (own) => {
      const { loss: _, l2, dropout, reduction, initialisation, ...rest } = own as Complete<typeof ON_GRAPH>;
      const method = { solver: told.name, ...rest } as unknown as GradientMethod;
      methodOf(method);
      return { method, dropout, l2, reduction, initialisation };
    },
  });
