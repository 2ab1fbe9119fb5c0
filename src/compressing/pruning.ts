/** Few weights that say what many said: what is sparse is what ADMM projects onto. */
import type { Numbers } from '../core/native.js';
import type { Model } from '../model/model.js';
import { HELD, type WeightTerms } from '../solvers/shared/regularise.js';
import { admm, type Pace, toldOf, trained, type Work } from './admm.js';
import { withoutNeurons } from './neurons.js';
import type { Structure } from './options.js';
import { GROUP, largestGroups, largestRows, type Masks, masked, narrower, rowMasks, weightsIn } from './projection.js';
import { countOf, withWeights } from './result.js';

/** What goes is projected away: which weights stay, and of neurons which. */
interface Projection {
  readonly V: readonly Numbers[];
  readonly masks: Masks;
  readonly stay?: readonly Int32Array[];
}

function projection(
  { layers }: Model['network'],
  weights: readonly Numbers[],
  structure: Structure,
  budget: number,
): Projection {
  if (structure !== 'neurons') {
    const size = GROUP[structure];
    const masks = largestGroups(weights, size, Math.floor(budget / size));
    return { masks, V: masked(weights, masks) };
  }
  const widths = narrower(layers, budget) as readonly number[];
  const stay = widths
    .slice(1, -1)
    .map((width, l) => largestRows(weights[l] as Numbers, layers[l + 1] as number, width));
  const masks = rowMasks(weights, layers, stay);
  return { masks, stay, V: masked(weights, masks) };
}

/** A model with at most `budget` weights, and which of its own these are; of neurons all of the narrower network. */
export async function pruned(
  work: Work,
  model: Model,
  pace: Pace,
  { structure, budget }: { readonly structure: Structure; readonly budget: number },
): Promise<{ readonly model: Model; readonly masks: Masks | undefined }> {
  const { rounds, steps, retrain } = pace;
  let now = model;
  let masks: Masks | undefined;
  const all = weightsIn(model.network.layers);
  for (let round = 1; round <= rounds; round += 1) {
    const left = Math.max(budget, Math.round(all * (budget / all) ** (round / rounds)));
    const { network } = now;
    const project = (weights: readonly Numbers[]) => projection(network, weights, structure, left);
    const { model: met, found } = await admm(work, now, pace, masks, project, (_, { masks: kept }) => ({
      round,
      weights: countOf(kept),
    }));
    const parameters = { weights: masked(met.weights, found.masks), biases: met.biases };
    masks = found.stay ? undefined : found.masks;
    const start = withWeights(
      model,
      found.stay ? withoutNeurons(network, parameters, found.stay) : { network, ...parameters },
    );
    const terms = (masks ?? []).map((kept): WeightTerms => ({ [HELD]: { kept } }));
    const epochs = round === rounds ? retrain : Math.ceil(retrain / 3);
    const { model: better, last } = await trained(work, start, { terms, epochs, best: true });
    now = better;
    const weights = countOf(masks ?? now.weights);
    await work.tell({ kind: 'retraining', round, step: steps, weights, distance: 0, ...toldOf(last) });
  }
  return { model: now, masks };
}
