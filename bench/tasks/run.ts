import { type EpochRecord, type GradientOptions, train } from 'dladmm';
import { learningRateOf, type Setting } from '../race/settings.js';
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
  const batchSize = Math.min(setting.batchSize, task.train.x.rows);
  const options = {
    layers: task.layers,
    loss: task.loss,
    initialisation: task.initialisation,
    solver: setting.solver,
    batchSize,
    ...setting.more,
    ...(setting.learningRate !== undefined && {
      learningRate: learningRateOf(setting, Math.ceil(task.train.x.rows / batchSize)),
    }),
    epochs,
    seed,
    threads,
  } as GradientOptions;
  const training = train({ ...task.train, test: task.test }, options);
  const points: TaskPoint[] = [];
  for await (const record of training) {
    const point = pointOf(record, points.at(-1)?.seconds ?? 0, task.unitsPerLoss);
    points.push(point);
    each(point);
  }
  const { model, status } = training.result;
  const shown = show ? await task.show(model) : {};
  model.close();
  return { run: { seed, status: status.kind, points }, shown };
}

/** @param secondsBefore of the epochs before this one */
export function pointOf(
  { iteration, seconds, loss, test }: Pick<EpochRecord, 'iteration' | 'seconds' | 'loss' | 'test'>,
  secondsBefore: number,
  unitsPerLoss: number,
): TaskPoint {
  return {
    epoch: iteration,
    seconds: secondsBefore + seconds,
    trainLoss: loss * unitsPerLoss,
    testLoss: (test?.loss ?? Number.NaN) * unitsPerLoss,
    ...(test?.accuracy !== undefined && { testAccuracy: test.accuracy }),
  };
}
