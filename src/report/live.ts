/** A page that follows trainings while they run: served on loopback alone, to whoever has the whole address. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onAbort } from '../core/abort.js';
import { checkKeys, checkObject, whole } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import { isObject } from '../core/objects.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { chartsOf, figure } from './charts.js';
import { POLICY, pageOf } from './drawing.js';
import { facts, number, setting, text } from './html.js';
import { FOLLOW, FOLLOWS, SHARE } from './live-page.js';

/** A training of `train` that has not been iterated over yet. */
export interface Followable<R extends ProgressRecord, Result> extends AsyncIterable<R> {
  readonly result: Result;
  readonly checkpointBytes: number;
  /** Has a checkpoint written after the iteration at work. */
  checkpointSoon(): void;
}

/** How a training is shown that a page follows. */
export interface FollowOptions {
  /** The heading. */
  readonly title?: string;
  /** The options of the training, told as they are. */
  readonly settings?: object;
  /** Ends a pause that somebody asked for by the page; give it to the training too. */
  readonly signal?: AbortSignal;
}

/** How a page is served. */
export interface LiveOptions extends FollowOptions {
  /** Default: any that is free. */
  readonly port?: number;
}

/** A training that a page follows: iterate over it in place of the training. */
export interface Live<R extends ProgressRecord, Result> extends AsyncIterable<R> {
  /** Where the page is, on this machine alone; who has it may stop the training. */
  readonly url: string;
  /** As of the training. */
  readonly result: Result;
  /** Shows another training on the same page. */
  beside<S extends ProgressRecord, Other>(training: Followable<S, Other>, options?: FollowOptions): Live<S, Other>;
  /** Takes the page away, with the last of it sent; where this is not called, that is when the process ends. */
  close(): Promise<void>;
}

/** The least time between two looks, in milliseconds. */
const PAUSE = 250;
/** Of a long training between half of so many iterations and these are shown, evenly. */
const MOST = 800;
/** A timer that keeps the process while nothing else does. */
const LONG = 2 ** 31 - 1;

interface Run {
  readonly head: string;
  records: ProgressRecord[];
  newest?: ProgressRecord;
  /** Of so many iterations one is kept. */
  every: number;
  /** Numbers of charts, which keep theirs while others come. */
  readonly ids: Map<string, number>;
  readonly checkpoint: () => void;
  state: string;
  ended: boolean;
  stopped: boolean;
  canCheckpoint: boolean;
  /** Iterations a second at most; 0 is a pause. */
  rate: number;
  wake: () => void;
  /** What is shown of it, once it is over. */
  last?: object;
}

function shownOf(run: Run, k: number): object {
  if (run.last) return run.last;
  const record = run.newest;
  const all = record === undefined || record === run.records.at(-1) ? run.records : [...run.records, record];
  const figures = chartsOf(all).map((chart) => {
    const { title } = chart;
    if (!run.ids.has(title)) run.ids.set(title, 1000 * k + run.ids.size);
    return figure(chart, run.ids.get(title) as number);
  });
  const { head, state, ended, canCheckpoint, rate } = run;
  const now = record ? `iteration ${record.iteration}, loss ${number(record.loss)}, ${number(record.elapsed)} s` : '';
  const shown = { head, state, now, ended, canCheckpoint, rate: Number.isFinite(rate) ? rate : 'full', figures };
  if (ended) run.last = shown;
  return shown;
}

/** Keeps every other record where there are too many. */
function keep(run: Run, record: ProgressRecord): void {
  run.newest = record;
  if (record.iteration % run.every === 0) run.records.push(record);
  if (run.records.length <= MOST) return;
  run.every *= 2;
  run.records = run.records.filter(({ iteration }) => iteration % run.every === 0);
}

/** Waits as long as the pace of a run has it. */
async function pace(run: Run, since: number, signal: AbortSignal | undefined): Promise<void> {
  while (!run.stopped && !signal?.aborted) {
    const left = since + 1000 / run.rate - performance.now();
    if (!(left > 0)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(left, LONG));
      const forget = onAbort(signal, () => run.wake());
      run.wake = () => {
        clearTimeout(timer);
        forget();
        resolve();
      };
    });
  }
}

class Page {
  readonly #secret = randomBytes(16).toString('hex');
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #runs: Run[] = [];
  readonly #tabs = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;
  #cost = 0;
  #at = 0;

  async open(port: number): Promise<void> {
    // A tab that stays open must not keep a process that has nothing more to do.
    this.#server.on('connection', (socket) => void socket.unref());
    await new Promise<void>((resolve, reject) => {
      const taken = (cause: Error): void => {
        const { code, message } = expected('a port that is free', 'options.port', port);
        reject(new DlAdmmError(code, `${message}: ${cause.message}`, { cause }));
      };
      this.#server.once('error', taken).listen(port, '127.0.0.1', resolve);
    });
    this.#server.unref();
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${this.#secret}/`;
  }

  add<R extends ProgressRecord, Result>(training: Followable<R, Result>, options: FollowOptions): Live<R, Result> {
    const { title = 'training', settings = {}, signal } = options;
    const { length: k } = this.#runs;
    const told = Object.entries(settings).filter(([, value]) => value !== undefined && typeof value !== 'function');
    const pairs = told.flatMap(([name, value]) => (name === 'signal' ? [] : [[name, setting(value)] as const]));
    const run: Run = {
      head: `<section id="run${k}"><h2>${text(title)}</h2>${facts(pairs)}${FOLLOWS}</section>`,
      ...{ records: [], every: 1, ids: new Map<string, number>(), state: 'under way', ended: false, stopped: false },
      ...{ canCheckpoint: false, rate: Number.POSITIVE_INFINITY, wake: () => undefined },
      checkpoint: () => training.checkpointSoon(),
    };
    this.#runs.push(run);
    const url = this.url;
    return {
      url,
      get result() {
        return training.result;
      },
      beside: (other, more = {}) => this.add(followable(other), checked(more)),
      close: () => this.close(),
      [Symbol.asyncIterator]: () => this.#follow(training, run, signal),
    };
  }

  async *#follow<R extends ProgressRecord, Result>(
    training: Followable<R, Result>,
    run: Run,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<R, void, undefined> {
    let since = performance.now();
    try {
      for await (const record of training) {
        if (run.newest === undefined) run.canCheckpoint = savesCheckpoints(training);
        keep(run, record);
        this.#tell();
        yield record;
        await pace(run, since, signal);
        since = performance.now();
        // Leaving the loop ends the training, with the model that it has.
        if (run.stopped) break;
      }
    } finally {
      run.ended = true;
      run.state = endOf(training);
      this.#tell();
    }
  }

  /** Sends what is new, soon; nothing is made where nobody looks. */
  #tell(): void {
    if (this.#tabs.size === 0 || this.#timer) return;
    const wait = Math.max(0, this.#at + Math.max(PAUSE, SHARE * this.#cost) - performance.now());
    this.#timer = setTimeout(() => this.#send(), wait).unref();
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const began = performance.now();
    const event = `data: ${JSON.stringify(this.#runs.map(shownOf))}\n\n`;
    for (const tab of this.#tabs) {
      // Who is slow gets the newest when there is room again.
      if (tab.writableNeedDrain) tab.once('drain', () => this.#tell());
      else tab.write(event);
    }
    this.#at = performance.now();
    this.#cost = this.#at - began;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, secret = '', what, more] = (request.url ?? '').split('/');
    const [given, known] = [secret, this.#secret].map((each) => Buffer.from(each)) as [Buffer, Buffer];
    const head = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' };
    const end = (status: number, type: string, body: string): void =>
      void response.writeHead(status, { ...head, 'content-type': `${type}; charset=utf-8` }).end(body);
    if (given.length !== known.length || !timingSafeEqual(given, known)) {
      return end(403, 'text/plain', 'This is not the whole address that was told when the training began.\n');
    }
    const asked = `${request.method} ${more === undefined ? what : 'more'}`;
    if (asked === 'GET ') return end(200, 'text/html', this.#page());
    if (asked === 'GET events') {
      response.writeHead(200, { ...head, 'content-type': 'text/event-stream' });
      this.#tabs.add(response);
      response.on('close', () => this.#gone(response));
      return this.#send();
    }
    if (asked === 'POST do') return end((await this.#wish(request)) ? 204 : 400, 'text/plain', '');
    return end(404, 'text/plain', '');
  }

  /** Nobody who could end a pause is left when the last tab is closed. */
  #gone(tab: ServerResponse): void {
    this.#tabs.delete(tab);
    if (this.#tabs.size > 0) return;
    for (const run of this.#runs) {
      run.rate = Number.POSITIVE_INFINITY;
      run.wake();
    }
  }

  async #wish(request: IncomingMessage): Promise<boolean> {
    const { run: k, what, rate } = wishIn(await bodyOf(request));
    const run = this.#runs[Number(k)];
    if (run === undefined || run.ended) return false;
    if (what === 'stop') {
      run.stopped = true;
      run.state = 'stopping';
    } else if (what === 'checkpoint' && run.canCheckpoint) run.checkpoint();
    else if (what === 'rate') run.rate = typeof rate === 'number' && rate >= 0 ? rate : Number.POSITIVE_INFINITY;
    else return false;
    run.wake();
    this.#tell();
    return true;
  }

  #page(): string {
    return pageOf('dladmm', '<h1>Trainings</h1>', { policy: `${POLICY}; connect-src 'self'`, more: FOLLOW });
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#send();
    for (const tab of this.#tabs) tab.end();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      // A tab that does not read, or a connection that waits for nothing, is not waited for.
      setTimeout(() => this.#server.closeAllConnections(), PAUSE).unref();
      this.#server.closeIdleConnections();
    });
  }
}

/** What is asked for; nothing where that is long, or was left in the middle. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  try {
    for await (const part of request) {
      body += String(part);
      if (body.length > 1000) return '';
    }
    return body;
  } catch {
    // Who asked is gone: a tab that was closed, a connection that broke.
    return '';
  }
}

function wishIn(body: string): Readonly<Record<string, unknown>> {
  try {
    const wish: unknown = JSON.parse(body);
    return isObject(wish) ? wish : {};
  } catch {
    return {};
  }
}

function savesCheckpoints(training: { readonly checkpointBytes: number }): boolean {
  try {
    return training.checkpointBytes >= 0;
  } catch {
    return false;
  }
}

function endOf<Result>(training: Pick<Followable<ProgressRecord, Result>, 'result'>): string {
  try {
    const { status } = training.result as { readonly status?: { readonly kind?: string } };
    return status?.kind ?? 'ended';
  } catch {
    return 'failed';
  }
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
function followable<T>(training: T): T {
  if (isObject(training) && Symbol.asyncIterator in training) return training;
  throw expected('a training that train has given', 'training', training);
}

function checked<O extends FollowOptions>(options: O, more: readonly string[] = []): O {
  checkObject(options, '{ title, settings, signal }', 'options');
  checkKeys(options, ['title', 'settings', 'signal', ...more], 'options');
  if (options.settings !== undefined) checkObject(options.settings, 'the options of the training', 'options.settings');
  return options;
}

/**
 * Shows a training while it runs, on a page that this machine alone can open: its curves as they come, with buttons to stop it, to have a
 * checkpoint written and to slow it down. Iterate over what this gives in place of the training. A tab may be closed and opened again.
 *
 *     const following = await live(train(data, options), { title: 'Digits' });
 *     console.log(following.url);
 *     for await (const record of following);
 *     const { model } = following.result;
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, for a port that is taken too, ERR_DLADMM_RANGE
 */
export async function live<R extends ProgressRecord, Result>(
  training: Followable<R, Result>,
  options: LiveOptions = {},
): Promise<Live<R, Result>> {
  followable(training);
  const { port = 0 } = checked(options, ['port']);
  whole(port, 0, 65_535, 'options.port');
  const page = new Page();
  await page.open(port);
  return page.add(training, options);
}
