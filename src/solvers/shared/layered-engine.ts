import { checkObject } from '../../core/checks.js';
import type { Dtype } from '../../core/native.js';
import { seededRandom } from '../../core/random.js';
import { type Initialisation, initialise } from '../../network/initialisation.js';
import type { Network } from '../../network/network.js';
import { readParameters, writeParameters } from '../../network/parameters.js';
import { rowSource } from '../../tensor/inputs.js';
import type { Engine, Persistence, TakeUp } from './engine.js';
import { type LabelledSamples, LayeredState, type StartOptions, type SweepPenalties } from './layered-state.js';
import { checkPenalties, type Penalties } from './penalties.js';
import type { IterationRecord } from './record.js';
import type { RunningSchedule } from './schedule.js';
import { decideSteps, type StepChoice } from './step.js';
import type { Block, Update } from './sweep.js';

/** What a solver of the layered splitting is: sweeps, kinds of step, penalties and their schedule, a start. */
export interface LayeredPlan {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly seed: number;
  readonly softmax: 'stable' | 'reference';
  /** Updates that run once, before the first iteration. */
  readonly firstUpdates: readonly Update[];
  /** The sweep of iteration 1, 2, … */
  readonly updatesOf: (iteration: number) => readonly Update[];
  readonly steps: { readonly W: readonly StepChoice[]; readonly a: readonly StepChoice[] };
  readonly multiplier: 'residual' | 'output';
  readonly bias: 'separate' | 'joint';
  /** The penalties of the first iteration. */
  readonly penaltiesFor: (samples: number) => Penalties;
  readonly schedule: RunningSchedule;
  /** The rest of what native updates need. */
  readonly settings: Omit<SweepPenalties, keyof Penalties | 'gamma'>;
  /** γ, of ‖a_l − f(z_l)‖²; ν where it is left out. */
  readonly gamma?: number;
  readonly initialisation: Initialisation;
  readonly start: StartOptions;
  /** Iterations between fresh products; 0 for never. */
  readonly refreshEvery: number;
}

const isFirstWeights = (update: Update | undefined): boolean => update?.block === 'W' && update.layer === 1;

/** Allocates the state of a plan, loads the samples and starts the variables. */
export async function openLayered(
  plan: LayeredPlan,
  data: LabelledSamples,
  opened: (engine: Engine<IterationRecord>) => void,
  takeUp?: TakeUp,
): Promise<void> {
  const { network, dtype, settings } = plan;
  const inputs = network.layers[0] ?? 0;
  const samples = rowSource(data.x, inputs, 'data.x').rows;
  const steps = decideSteps(plan.steps, network.layers, samples);
  const updates = plan.updatesOf(Number.MAX_SAFE_INTEGER);
  const pairs = updates.some((update, i) => isFirstWeights(update) && isFirstWeights(updates[i + 1]));
  const state = await LayeredState.create(
    {
      network,
      dtype,
      softmax: plan.softmax,
      threads: plan.threads,
      // XᵀX never changes: it spares products where W_1 is updated twice in a row, and the Gram matrix of an exact W_1.
      gram: inputs < samples && (pairs || steps.W[0] !== 'quadratic'),
      fista: settings.output === 'fista',
      steps,
      multiplier: plan.multiplier,
      bias: plan.bias,
    },
    data,
  );
  const engine = engineOf(plan, state);
  opened(engine);
  if (takeUp) return takeUp(engine.persistence, state.samples);
  await writeParameters(state, await initialise(plan.initialisation, network.layers, dtype, seededRandom(plan.seed)));
  await state.start({ ...plan.start, seed: plan.seed });
  if (plan.firstUpdates.length > 0) await state.run(plan.firstUpdates, penaltiesOf(plan, plan.penaltiesFor(samples)));
}

function engineOf(plan: LayeredPlan, state: LayeredState): Engine<IterationRecord> {
  let penalties = plan.penaltiesFor(state.samples);
  const { schedule, refreshEvery } = plan;
  const refreshes = (iteration: number): boolean => refreshEvery > 0 && iteration % refreshEvery === 0;
  const persistence: Persistence = {
    native: state.native,
    memory: () => ({ penalties, schedule: schedule.memory ?? [] }),
    recall(memory) {
      checkObject(memory, '{ penalties, schedule }', 'the memory of the checkpoint');
      const { penalties: kept, schedule: earlier } = memory as { penalties: Penalties; schedule: readonly number[] };
      penalties = checkPenalties(kept, 'penalties.');
      schedule.memory?.splice(0, schedule.memory.length, ...earlier);
      state.takeUp();
    },
    endsAfresh: refreshes,
  };
  return {
    persistence,
    samples: state.samples,
    addEvaluationSet: (samples, name) => state.addEvaluationSet(samples, name),
    async advance(iteration) {
      const updates = plan.updatesOf(iteration);
      const sweep = await state.run(updates, penaltiesOf(plan, penalties));
      if (sweep.stopped) return { kind: 'stopped' };
      if (sweep.diverged || sweep.measures === undefined) {
        return { kind: 'diverged', update: updates[sweep.completed] ?? (updates.at(-1) as Update) };
      }
      if (refreshes(iteration)) await state.refresh();
      return {
        kind: 'done',
        progress: { ...sweep.measures, penalties, updates: sweep.updates, seconds: sweep.seconds },
      };
    },
    learn(record) {
      penalties = schedule.next(penalties, record);
    },
    evaluate: (set) => state.evaluate(set),
    parameters: () => readParameters(state),
    // The state says no to blocks that it does not have.
    read: (block, layer) => state.read(block as Block, layer),
    stop: () => state.stop(),
    close: () => state.close(),
  };
}

const penaltiesOf = ({ settings, gamma }: LayeredPlan, penalties: Penalties): SweepPenalties => ({
  ...settings,
  ...penalties,
  ...(gamma !== undefined && { gamma }),
});
