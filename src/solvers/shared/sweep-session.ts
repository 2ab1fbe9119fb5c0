import { checkKeys, checkObject } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import type { NativeMeasured, NativeSweeps, NativeWork } from '../../core/native.js';
import { type Opened, Session, type SessionOptions } from './session.js';
import { type Blocks, checkedUpdate, type Update } from './sweep.js';

/** The types that make a splitting whose iterations are sweeps. */
export interface SweepTypes {
  readonly options: SessionOptions;
  readonly block: string;
  readonly set: unknown;
  readonly start: unknown;
  readonly penalties: object;
  readonly update: object;
  readonly measures: object;
}

/** What one call of {@link SweepSession.run} did. */
export interface SweepResult<T extends SweepTypes> {
  readonly updates: readonly T['update'][];
  /** How many of them ran. */
  readonly completed: number;
  /** A stop was asked for. */
  readonly stopped: boolean;
  /** The update after the completed ones met a value that is not finite; the parameters are those from before the call. */
  readonly diverged: boolean;
  readonly seconds: number;
  /** The products that it took, where the splitting counts them. */
  readonly work?: NativeWork;
  /** Absent after a divergence. */
  readonly measures?: T['measures'];
}

export interface SweepRules<T extends SweepTypes> {
  readonly blocks: Blocks<T['block']>;
  /** How variables begin, checked, as the addon takes it. */
  start(how: T['start'], options: T['options']): unknown;
  readonly penaltyKeys: readonly string[];
  /** Penalties, checked, as the addon takes them. */
  penalties(penalties: T['penalties'], options: T['options']): unknown;
  /** Measures of the addon under their names; the loss is seen to. */
  measures(native: never): object;
}

/** A session of a splitting whose iterations are sweeps: start, then run updates in any order. */
export class SweepSession<T extends SweepTypes> extends Session<T['options'], T['block'], T['set']> {
  readonly #rules: SweepRules<T>;
  readonly #native: NativeSweeps;

  /** @internal */
  constructor(opened: Opened<T['options'], T['block'], T['set'], NativeSweeps>, rules: SweepRules<T>) {
    super(opened);
    this.#native = opened.native;
    this.#rules = rules;
  }

  /** Gives the variables their first values, from the present parameters. */
  start(...[how]: undefined extends T['start'] ? [] : [how: T['start']]): Promise<void> {
    return this.call(async () => {
      await this.#native.start(this.#rules.start(how as T['start'], this.options));
      this.ready();
    });
  }

  /** Runs updates in their order, in one hop off the event loop. */
  run(updates: readonly Update<T['block']>[], penalties: T['penalties']): Promise<SweepResult<T>> {
    return this.call(async () => {
      const checked = this.#updates(updates);
      const ran = await this.#native.run(this.#pairs(checked), this.#penalties(penalties));
      const { completed, measures, ...rest } = ran;
      const records = ran.updates.map((record, i): T['update'] => ({ ...checked[i], ...record }));
      return { ...rest, completed, updates: records, ...(measures && { measures: this.#measures(measures) }) };
    });
  }

  /** Where the variables stand. */
  measure(penalties: T['penalties']): Promise<T['measures']> {
    return this.call(async () => {
      this.needStart();
      return this.#measures(await this.#native.measure(this.#penalties(penalties)));
    });
  }

  /** Finds afresh what is kept up to date step by step: bounds its drift. */
  refresh(): Promise<void> {
    return this.call(async () => this.#native.refresh?.());
  }

  /**
   * Seconds that the products of these updates take and nothing else, each the fastest of `repeats`: what a sweep is measured
   * against. On graphs alone.
   */
  productSeconds(updates: readonly Update<T['block']>[], repeats: number): Promise<number> {
    return this.call(async () => {
      const seconds = await this.#native.productSeconds?.(this.#pairs(this.#updates(updates)), repeats);
      if (seconds === undefined) throw expected('a graph', 'productSeconds', 'samples');
      return seconds;
    });
  }

  #updates(updates: readonly Update<T['block']>[]): readonly Update<T['block']>[] {
    if (!Array.isArray(updates)) throw expected('an array of updates', 'updates', updates);
    const { blocks } = this.#rules;
    const checked = updates.map((update, i) => checkedUpdate(blocks, update, this.depth, `updates[${i}]`));
    this.needStart();
    return checked;
  }

  #pairs(updates: readonly Update<T['block']>[]): Int32Array {
    return Int32Array.from(updates.flatMap(({ block, layer }) => [this.#rules.blocks[block].number, layer]));
  }

  #penalties(penalties: T['penalties']): unknown {
    const { penaltyKeys } = this.#rules;
    checkObject(penalties, `{ ${penaltyKeys.join(', ')} }`, 'penalties');
    checkKeys(penalties, penaltyKeys, 'penalties');
    return this.#rules.penalties(penalties, this.options);
  }

  #measures(native: Pick<NativeMeasured, 'loss'>): T['measures'] {
    const { loss } = native;
    return { ...this.#rules.measures(native as never), loss: loss / this.samples, lossSum: loss };
  }
}
