import { checkObject, whole } from '../../core/checks.js';
import type { Dtype } from '../../core/native.js';
import { seededRandom } from '../../core/random.js';
import { type Initialisation, initialise } from '../../network/initialisation.js';
import type { Network } from '../../network/network.js';
import { readParameters, writeParameters } from '../../network/parameters.js';
import type { LabelledSamples } from '../../samples/samples.js';
import type { Engine, TakeUp } from '../shared/engine.js';
import type { GradientMethod } from '../shared/methods.js';
import type { EpochRecord } from '../shared/record.js';
import { GradientState } from './state.js';

/** What a training by gradients is. */
export interface GradientPlan {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly seed: number;
  readonly method: GradientMethod;
  readonly batchSize?: number;
  readonly reduction: 'mean' | 'sum';
  readonly shuffle: boolean;
  readonly initialisation: Initialisation;
}

/** Allocates the state of a plan, loads the samples and draws the parameters. */
export async function openGradient(
  plan: GradientPlan,
  data: LabelledSamples,
  opened: (engine: Engine<EpochRecord>) => void,
  takeUp?: TakeUp,
): Promise<void> {
  const { network, dtype, threads, seed, method, batchSize, reduction, shuffle } = plan;
  const state = await GradientState.create(
    { network, dtype, threads, seed, method, reduction, shuffle, ...(batchSize !== undefined && { batchSize }) },
    data,
  );
  const engine = engineOf(state);
  opened(engine);
  if (takeUp) return takeUp(engine.persistence, state.samples);
  await writeParameters(state, await initialise(plan.initialisation, network.layers, dtype, seededRandom(seed)));
}

function engineOf(state: GradientState): Engine<EpochRecord> {
  return {
    persistence: {
      native: state.native,
      memory: () => ({ steps: state.steps }),
      recall(memory) {
        checkObject(memory, '{ steps }', 'the memory of the checkpoint');
        state.takeUp(whole((memory as { readonly steps?: unknown }).steps, 0, Number.MAX_SAFE_INTEGER, 'steps'));
      },
      endsAfresh: () => true,
    },
    samples: state.samples,
    addEvaluationSet: (samples, name) => state.addEvaluationSet(samples, name),
    async advance() {
      const { steps, loss, stopped, diverged, seconds } = await state.run();
      if (stopped) return { kind: 'stopped' };
      if (diverged) return { kind: 'diverged' };
      return { kind: 'done', progress: { steps, loss, seconds } };
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
