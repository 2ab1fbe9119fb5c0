import { train } from 'dladmm';
import type { EpochRecord, GradientOptions } from 'dladmm/solvers';
import { follow } from '../harness/samples.js';
import type { Shown, Task } from '../tasks/task.js';
import { optionsOf, type Setting } from './settings.js';

/** After one epoch; losses in the unit of the task. */
export type EpochPoint = ReturnType<typeof pointOf>;

export interface EpochRun {
  readonly seed: number;
  /** How the training ended. */
  readonly status: string;
  readonly points: readonly EpochPoint[];
}

/** What is trained. */
type Trained = Pick<Task, 'layers' | 'train' | 'test'> &
  Partial<Pick<Task, 'loss' | 'initialisation' | 'unitsPerLoss' | 'show'>>;

export type RunOptions = Readonly<Record<'epochs' | 'seed' | 'threads', number>>;

/** Trains, until `each` answers `enough`; `show` is asked for what the model makes. */
export async function run(
  { layers, loss, initialisation, train: samples, test, unitsPerLoss = 1, show }: Trained,
  setting: Setting,
  options: RunOptions,
  each: (point: EpochPoint) => unknown,
  shows = false,
): Promise<{ readonly run: EpochRun; readonly shown: Shown }> {
  const points: EpochPoint[] = [];
  const network = { layers, ...(loss && { loss }), ...(initialisation && { initialisation }) };
  const { seed, threads } = options;
  const told = { ...network, ...optionsOf(setting, samples.x.rows), ...options };
  const all = (setting.auto ? { seed, threads } : told) as GradientOptions;
  const { model, status } = await follow(train({ ...samples, test }, all), (record, seconds) => {
    const point = pointOf(record, seconds, unitsPerLoss);
    points.push(point);
    return each(point);
  });
  const shown = (shows && (await show?.(model))) || {};
  model.close();
  return { run: { seed, status: status.kind, points }, shown };
}

/** @param seconds of this epoch and all before it, evaluation left out */
export const pointOf = (
  { iteration, loss, test }: Pick<EpochRecord, 'iteration' | 'loss' | 'test'>,
  seconds: number,
  unitsPerLoss: number,
) => ({
  epoch: iteration,
  seconds,
  /** As the epoch met the samples, each at the parameters of its step. */
  trainLoss: loss * unitsPerLoss,
  testLoss: (test?.loss ?? Number.NaN) * unitsPerLoss,
  ...(test?.accuracy !== undefined && { testAccuracy: test.accuracy }),
});
