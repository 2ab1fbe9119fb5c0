/** The processes that train one network together, as this one sees them. */
import { inspect } from 'node:util';
import { DlAdmmError, messageOf } from './errors.js';
import { toJson } from './json.js';
import { fromNative, native } from './native.js';
import type { NativeRanks } from './native-store-faces.js';

/** Which of all samples are this rank's. */
export interface Share {
  readonly first: number;
  readonly rows: number;
  /** Of all ranks. */
  readonly samples: number;
}

const failed = (text: string): DlAdmmError => new DlAdmmError('ERR_DLADMM_RANKS', text);

/** Where two values begin to differ, for an error. */
function difference(ours: string, theirs: string): readonly [string, string] {
  let at = 0;
  while (at < ours.length && ours[at] === theirs[at]) at += 1;
  const cut = (text: string): string => {
    const from = Math.max(0, at - 20);
    return `${from > 0 ? '…' : ''}${text.slice(from, from + 60)}${text.length > from + 60 ? '…' : ''}`;
  };
  return [cut(ours), cut(theirs)];
}

/** Rank 0 is there at once; who comes later leaves the words to it, where all have the same to say. */
const TURN_MS = 300;

export class Ranks {
  readonly rank: number;
  readonly size: number;
  /** The library of the MPI. */
  readonly library: string;
  readonly #native: NativeRanks;
  #busy = false;

  /** Use {@link joinRanks}. @internal */
  constructor(own: NativeRanks, { rank, size, library }: ReturnType<NativeRanks['join']>) {
    this.#native = own;
    this.rank = rank;
    this.size = size;
    this.library = library;
  }

  /** Whether a training is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  /** What has been added up with the others so far. */
  get traffic(): ReturnType<NativeRanks['traffic']> {
    return this.#native.traffic();
  }

  /**
   * A contiguous block of the samples, as even as can be.
   *
   * @throws DlAdmmError ERR_DLADMM_RANKS where a rank would have none
   */
  shareOf(samples: number): Share {
    if (samples < this.size) {
      throw failed(
        `Expected at most ${samples} ranks, as there are so many samples, but ${this.size} have been started`,
      );
    }
    const [whole, rest] = [Math.floor(samples / this.size), samples % this.size];
    const first = whole * this.rank + Math.min(this.rank, rest);
    return { first, rows: whole + (this.rank < rest ? 1 : 0), samples };
  }

  /**
   * Work that each rank does by itself: where one fails, all do.
   *
   * @throws whatever the work throws; DlAdmmError ERR_DLADMM_RANKS where that of another rank did
   */
  async together<T>(work: () => T | Promise<T>): Promise<T> {
    let error: unknown;
    const done = await Promise.resolve()
      .then(work)
      .catch((thrown: unknown) => {
        error = thrown;
        return undefined;
      });
    const mine = error === undefined ? -1 : this.size - this.rank;
    const [latest = -1] = await this.#largest([mine]);
    if (latest < 0) return done as T;
    const from = this.size - latest;
    const text = await this.#call(() => this.#native.broadcast(messageOf(error), from));
    throw error ?? failed(`Rank ${from} failed: ${text}`);
  }

  /** @throws DlAdmmError ERR_DLADMM_RANKS where a rank says something else than rank 0, with the first difference */
  async agree(said: Readonly<Record<string, unknown>>): Promise<void> {
    const told = await this.#call(() => this.#native.broadcast(JSON.stringify(textsOf(said)), 0));
    const first = JSON.parse(told) as Readonly<Record<string, string>>;
    await this.together(() => {
      const own = textsOf(said);
      const odd = Object.keys({ ...first, ...own }).find((key) => own[key] !== first[key]);
      if (odd === undefined) return;
      const [here, there] = difference(own[odd] ?? 'nothing', first[odd] ?? 'nothing');
      throw failed(`Expected the same ${odd} on all ranks but rank 0 has ${there} and rank ${this.rank} has ${here}`);
    });
  }

  /**
   * Whether any rank says so; on all ranks the same.
   *
   * @param mark a number that follows from the parameters
   * @throws DlAdmmError ERR_DLADMM_RANKS where these are not the same
   */
  async any(flag: boolean, mark = 0): Promise<boolean> {
    const [most = 0, high = 0, low = 0] = await this.#largest([flag ? 1 : 0, mark, -mark]);
    if (most > 0) return true;
    if (high === -low) return false;
    throw failed('Expected the same parameters on all ranks but they have come apart: are their processors alike?');
  }

  /** Holds the ranks for one training at a time: calls of two would meet each other. @throws DlAdmmError ERR_DLADMM_STATE */
  take(): () => void {
    if (this.#busy)
      throw new DlAdmmError('ERR_DLADMM_STATE', 'Expected one distributed training at a time but another is at work');
    this.#busy = true;
    return () => {
      this.#busy = false;
    };
  }

  /** Ends all ranks, with one word of what happened: others may wait for this one for ever. */
  async fail(error: unknown): Promise<void> {
    // Of the same error on all ranks the first word is enough: it ends the others.
    await new Promise((resolve) => setTimeout(resolve, TURN_MS * Math.min(this.rank, 10)));
    this.end(`rank ${this.rank}: ${messageOf(error)}`, 1);
  }

  /** The same at once. */
  end(text: string, exitCode: number): void {
    process.stderr.write(`dladmm: ${text}; all ranks end\n`);
    this.#native.abort(exitCode);
  }

  /** As the process ends: in good order where it does so with nothing under way. @internal */
  leave(exitCode: number): void {
    if (exitCode === 0 && !this.#busy) this.#native.leave();
    else this.#native.abort(exitCode || 1);
  }

  #largest(numbers: readonly number[]): Promise<Float64Array> {
    return this.#call(() => this.#native.largest(Float64Array.from(numbers)));
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw fromNative(error);
    }
  }
}

const textsOf = (said: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(said).map(([key, value]) => [key, toJson(value ?? null)]));

let known: Ranks | undefined;
/** Of a first attempt: MPI begins once. */
let failure: unknown;

/** The ranks of this process where they have joined. */
export const ranksHere = (): Ranks | undefined => known;

/**
 * Loads MPI and waits for all processes that were launched together, which the event loop does too; once.
 *
 * @throws DlAdmmError ERR_DLADMM_RANKS where there is no MPI, or its launcher is another's
 */
export async function joinRanks(): Promise<Ranks> {
  if (known !== undefined) return known;
  if (failure !== undefined) throw failure;
  const own = new native.Ranks();
  try {
    const all = new Ranks(own, own.join());
    let uncaught: { readonly error: unknown } | undefined;
    process.on('uncaughtExceptionMonitor', (error) => {
      uncaught = { error };
    });
    // Without a word to MPI the launcher takes an end for a failure.
    process.once('exit', (code) => {
      // Node tells of it when all have left, which is too late where ranks are ended.
      if (uncaught && process.listenerCount('uncaughtException') === 0)
        process.stderr.write(`${inspect(uncaught.error)}\n`);
      all.leave(code);
    });
    known = all;
    return all;
  } catch (error) {
    failure = fromNative(error);
    throw failure;
  }
}
