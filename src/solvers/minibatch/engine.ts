import { checkObject, whole } from '../../core/checks.js';
import type { Dtype } from '../../core/native.js';
import { seededRandom } from '../../core/random.js';
import { type Initialisation, initialise } from '../../network/initialisation.js';
import type { Network } from '../../network/network.js';
import { readParameters, writeParameters } from '../../network/parameters.js';
import type { LabelledSamples } from '../../samples/samples.js';
import type { Engine, TakeUp } from '../shared/engine.js';
import type { LearningRate } from '../shared/learning-rate.js';
import type { EpochRecord } from '../shared/record.js';
import { type MinibatchMethod, MinibatchState } from './state.js';

/** What a training by mini-batch dlADMM is. */
export interface MinibatchPlan {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly seed: number;
  readonly method: MinibatchMethod;
  /** η, for epochs of so many batches. */
  readonly stepFor: (batchesPerEpoch: number) => LearningRate;
  readonly batchSize?: number;
  readonly shuffle: boolean;
  readonly initialisation: Initialisation;
}

/** Allocates the state of a plan, loads the samples and draws the parameters. */
export async function openMinibatch(
  plan: MinibatchPlan,
  data: LabelledSamples,
  opened: (engine: Engine<EpochRecord>) => void,
  takeUp?: TakeUp,
): Promise<void> {
  const { network, dtype, threads, seed, method, batchSize, shuffle } = plan;
  const state = await MinibatchState.create(
    { ...method, network, dtype, threads, seed, shuffle, ...(batchSize !== undefined && { batchSize }) },
    data,
  );
  const engine = engineOf(state, plan.stepFor(state.batchesPerEpoch));
  opened(engine);
  if (takeUp) return takeUp(engine.persistence, state.samples);
  await writeParameters(state, await initialise(plan.initialisation, network.layers, dtype, seededRandom(seed)));
}

function engineOf(state: MinibatchState, step: LearningRate): Engine<EpochRecord> {
  return {
    persistence: {
      native: state.native,
      memory: () => ({ batches: state.batches }),
      recall(memory) {
        checkObject(memory, '{ batches }', 'the memory of the checkpoint');
        const { batches } = memory as { readonly batches?: unknown };
        state.takeUp(whole(batches, 0, Number.MAX_SAFE_INTEGER, 'batches'));
      },
      endsAfresh: () => true,
    },
    samples: state.samples,
    addEvaluationSet: (samples, name) => state.addEvaluationSet(samples, name),
    async advance() {
      const { batches, loss, stopped, diverged, seconds } = await state.run(step);
      if (stopped) return { kind: 'stopped' };
      if (diverged) return { kind: 'diverged' };
      return { kind: 'done', progress: { steps: batches, loss, seconds } };
    },
    learn: () => undefined,
    evaluate: (set) => state.evaluate(set),
    parameters: () => readParameters(state),
    // The state itself says which blocks it has.
    read: (block, layer) => state.read(block as 'W' | 'b', layer),
    stop: () => state.stop(),
    close: () => state.close(),
  };
}
