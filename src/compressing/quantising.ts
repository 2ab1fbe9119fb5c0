/** Weights of a few bits: a grid is what ADMM projects onto. */
import type { Numbers } from '../core/native.js';
import type { Model } from '../model/model.js';
import type { Grid } from '../model/quantisation.js';
import { HELD, type WeightTerms } from '../solvers/shared/regularise.js';
import { judgedTrain } from '../training/result.js';
import { admm, type Pace, toldOf, trained, type Work } from './admm.js';
import { calibrated } from './calibrating.js';
import { exactly, nearestOnGrid, type OnGrid } from './grid.js';
import { largest, type Masks } from './projection.js';
import { countOf, withWeights } from './result.js';

/** 1 for the `left` weights of a layer that are farthest from their places on the grid, in units of its scale, of those that are free so far. */
function freed(weights: Numbers, V: Numbers, scales: Float32Array, left: number, free: Int32Array): Int32Array {
  const inputs = weights.length / scales.length;
  const away = Float64Array.from(weights, (w, i) =>
    free[i] === 0 ? -1 : Math.abs(w - (V[i] as number)) / (scales[Math.floor(i / inputs)] as number),
  );
  const farthest = new Int32Array(weights.length);
  for (const place of largest(away, left)) farthest[place] = 1;
  return farthest;
}

/**
 * A model whose weights lie on a grid: rounds of ADMM, after each of which those nearest to the grid are put on it for good while the others,
 * and the biases, are trained on; after the last all of them. The scales are those that fit best after the first.
 *
 * @param masks weights that are 0, and stay so: 0 is on every grid
 */
export async function quantised(
  work: Work,
  model: Model,
  pace: Pace,
  {
    grid,
    masks,
    activations,
  }: { readonly grid: Grid; readonly masks: Masks | undefined; readonly activations: 'int8' | 'float' },
): Promise<Model> {
  const { rounds, steps, retrain } = pace;
  const { network, dtype } = model;
  let now = model;
  let scales: OnGrid['scales'] | undefined;
  const all: Masks = masks ?? model.weights.map(({ length }) => new Int32Array(length).fill(1));
  let free = all;
  for (let round = 1; round <= rounds; round += 1) {
    const project = (weights: readonly Numbers[]) => nearestOnGrid(weights, network.layers, { grid, dtype, scales });
    const { model: met, found } = await admm(work, now, pace, free, project, (_, { V }) => ({
      round,
      weights: countOf(V),
    }));
    const { V } = found;
    scales = found.scales;
    free = free.map((own, l) => {
      const left = Math.floor((1 - round / rounds) * countOf([all[l] as Int32Array]));
      return freed(met.weights[l] as Numbers, V[l] as Numbers, found.scales[l] as Float32Array, left, own);
    });
    const weights = met.weights.map(
      (each, l) => each.map((w: number, i: number) => (free[l]?.[i] === 0 ? V[l]?.[i] : w) as number) as Numbers,
    );
    const terms = V.map(
      (v, l): WeightTerms => ({
        [HELD]: { centre: Float64Array.from(v), kept: free[l] as Int32Array },
      }),
    );
    const epochs = round === rounds ? retrain : Math.ceil(retrain / 3);
    const start = withWeights(model, { network, weights, biases: met.biases });
    const { model: better, last } = await trained(work, start, { terms, epochs, best: true });
    now = better;
    await work.tell({
      kind: 'retraining',
      round,
      step: steps,
      weights: countOf(now.weights),
      distance: 0,
      ...toldOf(last),
    });
  }
  const own = scales as OnGrid['scales'];
  const weights = exactly(now.weights, own, dtype);
  const met = withWeights(model, { network, weights, biases: now.biases });
  const inputs =
    activations === 'int8' ? await calibrated(met, work.data.validation ?? judgedTrain(work.data)) : undefined;
  const { biases = met.biases, activations: grids } = inputs ?? {};
  const quantisation = { grid, scales: own, ...(grids && { activations: grids }) };
  return withWeights(met, { network, weights, biases, quantisation });
}
