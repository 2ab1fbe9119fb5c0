import { train } from 'dladmm';
import type { EpochRecord, GradientOptions } from 'dladmm/solvers';
import { follow } from '../harness/samples.js';
import { optionsOf, type Setting } from '../race/settings.js';
import type { Shown, Task } from './task.js';

/** After one epoch; losses in the unit of the task. */
export interface TaskPoint {
  readonly epoch: number;
  /** Seconds of all epochs so far, evaluation left out. */
  readonly seconds: number;
  /** As the epoch met the samples, each at the parameters of its step. */
  readonly trainLoss: number;
  readonly testLoss: number;
  readonly testAccuracy?: number;
}

export interface TaskRun {
  readonly seed: number;
  /** How the training ended. */
  readonly status: string;
  readonly points: readonly TaskPoint[];
}

export interface RunOptions {
  readonly epochs: number;
  readonly seed: number;
  readonly threads: number;
}

/** Trains to the end; `show` is asked for what the model makes. */
export async function run(
  task: Task,
  setting: Setting,
  { epochs, seed, threads }: RunOptions,
  each: (point: TaskPoint) => void,
  show = false,
): Promise<{ readonly run: TaskRun; readonly shown: Shown }> {
  const options = {
    layers: task.layers,
    loss: task.loss,
    initialisation: task.initialisation,
    ...optionsOf(setting, task.train.x.rows),
    epochs,
    seed,
    threads,
  } as GradientOptions;
  const points: TaskPoint[] = [];
  const training = train({ ...task.train, test: task.test }, options);
  const { model, status } = await follow(training, (record, seconds) => {
    const point = pointOf(record, seconds, task.unitsPerLoss);
    points.push(point);
    each(point);
  });
  const shown = show ? await task.show(model) : {};
  model.close();
  return { run: { seed, status: status.kind, points }, shown };
}

/** @param seconds of this epoch and all before it */
export function pointOf(
  { iteration, loss, test }: Pick<EpochRecord, 'iteration' | 'loss' | 'test'>,
  seconds: number,
  unitsPerLoss: number,
): TaskPoint {
  return {
    epoch: iteration,
    seconds,
    trainLoss: loss * unitsPerLoss,
    testLoss: (test?.loss ?? Number.NaN) * unitsPerLoss,
    ...(test?.accuracy !== undefined && { testAccuracy: test.accuracy }),
  };
}
