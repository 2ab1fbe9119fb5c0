import type { Dtype } from '../../core/native.js';
import { seededRandom } from '../../core/random.js';
import { type Initialisation, initialise } from '../../network/initialisation.js';
import type { Network } from '../../network/network.js';
import { readParameters, writeParameters } from '../../network/parameters.js';
import type { LabelledSamples } from '../../samples/samples.js';
import type { Engine, TakeUp } from '../shared/engine.js';
import type { SigmoidRecord } from '../shared/record.js';
import type { ConstraintBlock, ConstraintUpdate } from '../shared/sweep.js';
import { type ConstraintPenalties, ConstraintsState } from './state.js';

/** What a solver of the splitting that keeps all constraints is: a sweep, penalties, a start. */
export interface ConstraintsPlan {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly seed: number;
  readonly updates: readonly ConstraintUpdate[];
  readonly penalties: ConstraintPenalties;
  readonly initialisation: Initialisation;
}

/** Allocates the state of a plan, loads the samples and starts the variables. */
export async function openConstraints(
  plan: ConstraintsPlan,
  data: LabelledSamples,
  opened: (engine: Engine<SigmoidRecord>) => void,
  takeUp?: TakeUp,
): Promise<void> {
  const { network, dtype, threads, seed } = plan;
  const state = await ConstraintsState.create({ network, dtype, threads }, data);
  const engine = engineOf(plan, state);
  opened(engine);
  if (takeUp) return takeUp(engine.persistence, state.samples);
  await writeParameters(state, await initialise(plan.initialisation, network.layers, dtype, seededRandom(seed)));
  await state.start();
}

function engineOf({ updates, penalties }: ConstraintsPlan, state: ConstraintsState): Engine<SigmoidRecord> {
  return {
    persistence: {
      native: state.native,
      memory: () => ({}),
      async recall() {
        state.takeUp();
        // What the last measures had found is what the next sweep begins with, and counts as its work if it is not there.
        await state.measure(penalties);
      },
      // Nothing is kept that would not be found to be the same.
      endsAfresh: () => true,
    },
    samples: state.samples,
    addEvaluationSet: (samples, name) => state.addEvaluationSet(samples, name),
    async advance() {
      const sweep = await state.run(updates, penalties);
      if (sweep.stopped) return { kind: 'stopped' };
      if (sweep.diverged || sweep.measures === undefined) {
        return { kind: 'diverged', update: updates[sweep.completed] ?? (updates.at(-1) as ConstraintUpdate) };
      }
      return {
        kind: 'done',
        progress: { ...sweep.measures, updates: sweep.updates, work: sweep.work, seconds: sweep.seconds },
      };
    },
    // Nothing here depends on how it went.
    learn: () => undefined,
    evaluate: (set) => state.evaluate(set),
    parameters: () => readParameters(state),
    // The state says no to blocks that it does not have.
    read: (block, layer) => state.read(block as ConstraintBlock, layer),
    stop: () => state.stop(),
    close: () => state.close(),
  };
}
