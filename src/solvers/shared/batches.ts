/** Solvers that step by the gradients of batches: what is the same for all methods, on samples and on graphs. */

import { DlAdmmError } from '../../core/errors.js';
import type { NativeRegulariser } from '../../core/native-faces.js';
import { present } from '../../core/objects.js';
import { type Complete, flag, number, perLayer, type Schema, whole, word } from '../../network/schema.js';
import { graphInitialisedBy, initialisedBy, LABEL_LOSS } from './declared.js';
import { defineSolver } from './descriptor.js';
import { EQUAL } from './equal.js';
import { falling, scheduled } from './learning-rate.js';
import { checkDivides, type GradientMethod, L2, METHODS, type MethodName, methodOf, rate } from './methods.js';
import type { EpochRecord } from './record.js';
import { isSeparable, MONOTONE, REGULARISE, regularisedBy } from './regularise.js';
import type { Courses, Traits } from './splitting.js';
import { type GradientPlan, gradients } from './splittings/gradient.js';
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

/** How the learning rate goes over a training, where nobody says. */
const COURSES: { readonly [M in MethodName]?: { readonly falls: 'cosine' | 'constant'; readonly warmUp: number } } = {
  nadamw: { falls: 'cosine', warmUp: 0.02 },
  'schedule-free': { falls: 'constant', warmUp: 0.02 },
  muon: { falls: 'cosine', warmUp: 0 },
  soap: { falls: 'cosine', warmUp: 0.1875 },
};
const courseOf = (name: MethodName) => COURSES[name] ?? { falls: 'constant', warmUp: 0 };

/** What of it is asked for; not of K-FAC, which has no learning rate. */
export const COURSE = {
  learningRateSchedule: falling('as the method has it'),
  warmUp: number('fraction', {
    default: 0,
    otherwise: 'as the method has it',
    says: 'The share of all steps over which the learning rate rises to its full length.',
  }),
} as const satisfies Schema;
const onCourse = (name: MethodName): typeof COURSE => ({
  learningRateSchedule: falling(courseOf(name).falls),
  warmUp: { ...COURSE.warmUp, default: courseOf(name).warmUp, otherwise: String(courseOf(name).warmUp) },
});

/** The methods that a proximal step can follow on: in the metric of their own steps, of one number for all, or one an entry. */
const PROXIMAL = {
  ...({ gd: 'any', sgd: 'any', badm: 'any', sisa: 'any' } as const),
  ...({ adagrad: 'separable', adam: 'separable', nadamw: 'separable' } as const),
} as const satisfies { readonly [M in MethodName]?: 'any' | 'separable' };
const REGULAR = { regularise: REGULARISE, monotone: MONOTONE, equal: EQUAL } as const satisfies Schema;
type Regularised<M> = M extends keyof typeof PROXIMAL ? typeof REGULAR : unknown;

/** @throws DlAdmmError ERR_DLADMM_RANGE for what has no closed form in the metric of the method */
function checkMetric(name: MethodName, regularisers: readonly NativeRegulariser[]): void {
  const group = regularisers.find((each) => !isSeparable(each));
  if (group === undefined || !(name in PROXIMAL) || PROXIMAL[name as keyof typeof PROXIMAL] === 'any') return;
  const text = `Expected l1, l2, min, max and equal alone for regularise.W, as other terms have no closed form in the metric of ${name}; sgd takes all`;
  throw new DlAdmmError('ERR_DLADMM_RANGE', text);
}

type OnCourse<S> = S extends { readonly learningRate: unknown } ? typeof COURSE : unknown;

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

export const onSamples = <const M extends MethodName>(told: Told<M>) => define(told, METHODS[told.name], gradients);

/** The same on a graph; adam steps ten times as far there. */
export const onGraphs = <const M extends MethodName>(told: Told<M>) =>
  defineOnGraph<M, (typeof METHODS)[M]>(told, {
    ...METHODS[told.name],
    ...(told.name === 'adam' && { learningRate: rate(0.01) }),
  });

const define = <M extends MethodName, S extends Schema, C extends Traits['can']>(
  told: Told<M>,
  settings: S,
  splitting: Courses<GradientPlan, EpochRecord, { readonly data: 'samples'; readonly can: C }>,
) =>
  defineSolver({
    ...told,
    splitting,
    iterations: 10,
    // What a method has of its own stands first, and instead of what all have.
    options: {
      ...settings,
      ...('learningRate' in settings && onCourse(told.name)),
      ...ON_SAMPLES,
      ...(told.name in PROXIMAL && REGULAR),
      ...settings,
    } as S & typeof ON_SAMPLES & OnCourse<S> & Regularised<M>,
    plan: (own, { iterations: epochs, network }) => {
      const { learningRateSchedule: falls, warmUp = 0, ...most } = own as Complete<ReturnType<typeof onCourse>>;
      const { batchSize, reduction, shuffle, initialisation, regularise, monotone, equal, ...rest } =
        most as unknown as Complete<typeof ON_SAMPLES & typeof REGULAR>;
      const regular = regularisedBy({ regularise, monotone, equal }, network);
      checkMetric(told.name, regular.regularisers ?? []);
      const method = { solver: told.name, ...rest } as unknown as GradientMethod;
      const { subBatches, learningRate: rate } = methodOf(method);
      if (batchSize !== undefined) checkDivides(subBatches, batchSize, 'subBatches');
      const stepFor = scheduled({ rate, falls, otherwise: courseOf(told.name).falls, warmUp, epochs });
      return {
        method,
        stepFor,
        ...present({ batchSize }),
        ...regular,
        reduction,
        shuffle,
        initialisation,
      };
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
