import { checkObject, whole } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import type { NativePersistent, Numbers } from '../../core/native.js';
import type { Metrics } from '../../network/metrics.js';
import type { Parameters } from '../../network/parameters.js';
import type { NodesLike } from '../../samples/graph-samples.js';
import type { LabelledSamples } from '../../samples/samples.js';
import type { Matrix } from '../../tensor/matrix.js';
import type { Feed } from './feed.js';
import type { LearningRate } from './learning-rate.js';
import type { RunningSchedule } from './penalties.js';
import type { EpochRecord, ProgressRecord } from './record.js';
import type { StepSession, StepTypes } from './step-session.js';
import type { AnyBlock, Update } from './sweep.js';
import type { SweepSession, SweepTypes } from './sweep-session.js';

/** What a training adds to the record of a course. */
export type Watched = 'iteration' | 'elapsed' | 'train' | 'validation' | 'test' | 'checkpoint';

type Advance<R extends ProgressRecord> =
  | { readonly kind: 'done'; readonly progress: Omit<R, Watched> }
  /** A stop was asked for; the iteration is not complete. */
  | { readonly kind: 'stopped' }
  /** A value was not finite; the parameters are the last finite ones. */
  | { readonly kind: 'diverged'; readonly update?: Update<AnyBlock> };

/** What a training evaluates beside its training set: samples, or on a graph nodes of it. */
type AnySamples = LabelledSamples | NodesLike;

/** A session of any splitting, as a training sees it. */
export interface AnySession {
  readonly samples: number;
  readonly native: NativePersistent;
  readonly feed: Feed | undefined;
  readonly fingerprint: (() => Promise<string>) | undefined;
  addEvaluationSet(set: AnySamples, name: string): Promise<number>;
  evaluate(set: number | 'train'): Promise<Metrics>;
  read(block: AnyBlock, layer: number): Promise<Matrix>;
  write(block: AnyBlock, layer: number, values: Numbers | Matrix): Promise<void>;
  parameters(): Promise<Parameters>;
  writeParameters(parameters: Parameters): Promise<void>;
  stop(): void;
  close(): void;
}

/** How a solver goes from iteration to iteration on a session, and what it remembers of them. */
export interface Course<R extends ProgressRecord> {
  readonly session: AnySession;
  /** Makes ready for iteration 1, from the parameters that have been written. */
  start(): Promise<void>;
  advance(iteration: number): Promise<Advance<R>>;
  /** The complete record of the iteration just done: schedules look at it. */
  learn(record: R): void;
  /** What is remembered beside native memory, as JSON can say it. */
  memory(): unknown;
  /** Takes up what memory() gave; native memory has been filled already. */
  recall(memory: unknown): void | Promise<void>;
  /** Whether this iteration ended with everything that is kept found afresh, so that it need not be written. */
  endsAfresh(iteration: number): boolean;
  /** Has every update to come measured, where iterations are sweeps of updates; before the start, or what takes its place. */
  measureUpdates(): Promise<void>;
  /** What has to be filled as the session is, where a training goes on. */
  copies(): readonly NativePersistent[];
  close(): void;
}

/** Penalties that change as a training goes on, and the rule by which they do. */
interface Varying<V extends object, R> {
  readonly first: V;
  readonly check: (penalties: V, prefix: string) => V;
  readonly schedule: RunningSchedule<V, R>;
}

/** The course of a solver whose iterations are sweeps. */
export interface SweepPlan<T extends SweepTypes, V extends object, R> {
  /** The sweep of iteration 1, 2, … */
  readonly updatesOf: (iteration: number) => readonly Update<T['block']>[];
  /** Updates that run once, before the first iteration. */
  readonly firstUpdates?: readonly Update<T['block']>[];
  readonly start: T['start'];
  /** Penalties that change, where some do. */
  readonly varying?: Varying<V, R>;
  /** All penalties of a run, by those that change. */
  readonly penalties: (varying: V | undefined) => T['penalties'];
  /**
   * Iterations between fresh products; 0 for never. Undefined for a splitting that keeps none: what the last measures had found
   * is then found again as a checkpoint is taken up.
   */
  readonly refreshEvery: number | undefined;
  /** Opens another session of the same, where an update can be measured by itself. */
  readonly again?: () => Promise<SweepSession<T>>;
}

/** What an update changed, as measured on a copy of the state. */
export interface UpdateChanges {
  /** By how much the augmented Lagrangian changed. */
  readonly lagrangianChange?: number;
  /** By how much the squared norms of all residuals together changed. */
  readonly residualChange?: number;
}

const squaredResiduals = (measures: object): number => {
  const { residuals = [], activationResiduals = [] } = measures as Partial<Record<string, readonly number[]>>;
  return [...residuals, ...activationResiduals].reduce((sum, squared) => sum + squared, 0);
};

/** Gives a session that began as another did the present variables of that. What else a state has follows from its own updates. */
async function bringUp<T extends SweepTypes>(copy: SweepSession<T>, session: SweepSession<T>): Promise<void> {
  for (const { block, layer } of session.places()) {
    await copy.write(block, layer, await session.read(block, layer));
  }
  await copy.refresh();
}

/**
 * Measures each update by itself, on a copy of the state whose variables are made anew for each iteration: what is measured between
 * updates is rounded otherwise, and must not reach the iterates.
 */
async function measuredApart<T extends SweepTypes>(
  session: SweepSession<T>,
  copy: SweepSession<T>,
  penalties: T['penalties'],
): Promise<(updates: readonly Update<T['block']>[]) => Promise<readonly UpdateChanges[]>> {
  await bringUp(copy, session);
  const told = (measures: object) => ({
    lagrangian: (measures as { readonly lagrangian: number }).lagrangian,
    residual: squaredResiduals(measures),
  });
  let before = told(await copy.measure(penalties));
  return async (updates) => {
    const changes: UpdateChanges[] = [];
    for (const update of updates) {
      const { measures } = await copy.run([update], penalties);
      if (measures === undefined) break;
      const after = told(measures);
      changes.push({
        lagrangianChange: after.lagrangian - before.lagrangian,
        residualChange: after.residual - before.residual,
      });
      before = after;
    }
    return changes;
  };
}

/** @returns records of sweeps: measures, what each update did, and the penalties that change */
export function sweepCourse<T extends SweepTypes, V extends object, R extends ProgressRecord>(
  session: SweepSession<T>,
  plan: SweepPlan<T, V, R>,
): Course<R> {
  const { updatesOf, firstUpdates = [], varying, refreshEvery, again } = plan;
  let changing = varying?.first;
  const penalties = (): T['penalties'] => plan.penalties(changing);
  let copy: SweepSession<T> | undefined;
  const refreshes = (iteration: number): boolean => (refreshEvery ?? 0) > 0 && iteration % (refreshEvery ?? 1) === 0;
  return {
    session: session as unknown as AnySession,
    async start() {
      await session.start(...([plan.start] as never));
      if (copy) {
        await copy.start(...([plan.start] as never));
        await bringUp(copy, session);
      }
      if (firstUpdates.length === 0) return;
      await session.run(firstUpdates, penalties());
      await copy?.run(firstUpdates, penalties());
    },
    async advance(iteration) {
      const updates = updatesOf(iteration);
      const apart = copy && (await measuredApart(session, copy, penalties()));
      const { completed, stopped, diverged, measures: found, ...sweep } = await session.run(updates, penalties());
      if (stopped) return { kind: 'stopped' };
      if (diverged || found === undefined) {
        return { kind: 'diverged', update: (updates[completed] ?? updates.at(-1)) as Update<AnyBlock> };
      }
      if (refreshes(iteration)) await session.refresh();
      const changes = await apart?.(updates);
      const told = changes && { updates: sweep.updates.map((update, i) => ({ ...update, ...changes[i] })) };
      const progress = { ...found, ...(changing && { penalties: { ...changing } }), ...sweep, ...told };
      return { kind: 'done', progress: progress as unknown as Omit<R, Watched> };
    },
    learn(record) {
      if (varying && changing) changing = varying.check(varying.schedule.next(changing, record), 'schedule(record).');
    },
    memory: () => (varying ? { penalties: changing, schedule: varying.schedule.memory ?? [] } : {}),
    async recall(memory) {
      session.ready();
      copy?.ready();
      if (refreshEvery === undefined) await session.measure(penalties());
      if (varying === undefined) return;
      checkObject(memory, '{ penalties, schedule }', 'the memory of the checkpoint');
      const kept = memory as { readonly penalties: V; readonly schedule: readonly number[] };
      checkObject(kept.penalties, 'an object', 'the penalties of the checkpoint');
      changing = varying.check(kept.penalties, 'penalties.');
      if (!Array.isArray(kept.schedule) || !kept.schedule.every((value: unknown) => typeof value === 'number')) {
        throw expected('an array of numbers', 'the schedule of the checkpoint', kept.schedule);
      }
      const { memory: before } = varying.schedule;
      before?.splice(0);
      for (const value of kept.schedule) before?.push(value);
    },
    endsAfresh: (iteration) => refreshEvery === undefined || refreshes(iteration),
    async measureUpdates() {
      copy ??= await again?.();
    },
    copies: () => (copy ? [copy.native] : []),
    close() {
      copy?.close();
      session.close();
    },
  };
}

/** @returns records of epochs, with learning rates that may follow from how many steps an epoch has */
export function stepCourse<T extends StepTypes>(
  session: StepSession<T>,
  rateFor: (stepsPerEpoch: number) => LearningRate | undefined = () => undefined,
): Course<EpochRecord> {
  const rate = rateFor(session.stepsPerEpoch);
  return {
    session: session as unknown as AnySession,
    start: async () => undefined,
    async advance() {
      const { steps, loss, stopped, diverged, seconds, learningRate, weights } = await session.run(undefined, rate);
      if (stopped) return { kind: 'stopped' };
      if (diverged) return { kind: 'diverged' };
      return { kind: 'done', progress: { steps, loss, seconds, ...(learningRate && { learningRate }), ...weights } };
    },
    learn: () => undefined,
    memory: () => ({ steps: session.steps }),
    recall(memory) {
      checkObject(memory, '{ steps }', 'the memory of the checkpoint');
      // Mini-batch dlADMM used to count its steps as batches.
      const { steps, batches = steps } = memory as { readonly steps?: unknown; readonly batches?: unknown };
      session.takeUp(whole(batches, 0, Number.MAX_SAFE_INTEGER, 'steps'));
    },
    endsAfresh: () => true,
    measureUpdates: async () => undefined,
    copies: () => [],
    close: () => session.close(),
  };
}
