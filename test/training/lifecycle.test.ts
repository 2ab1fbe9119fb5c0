import { getEventListeners } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packSamples } from '../../src/data.js';
import { type DlAdmmError, type FitResult, fit as fitModel, train } from '../../src/index.js';
import { type DladmmOptions, layered, type Update, W } from '../../src/solvers.js';
import { type Outcome, runProgram } from '../children/run.js';
import { expectFailure, temporaryFolder } from '../formats/support.js';
import { HOLDING, nativeOf } from '../reference/addon.js';

const SAMPLES = 300;
const X = Float32Array.from({ length: SAMPLES * 12 }, (_, i) => Math.sin(1.7 * i));
const DATA = { x: X, labels: Int32Array.from({ length: SAMPLES }, (_, i) => i % 3) };
const SHORT: DladmmOptions = { layers: [12, 30, 20, 3], iterations: 6, nu: 1, rho: 1, threads: 2 };
/** Ends only when it is ended. */
const ENDLESS: DladmmOptions = { ...SHORT, iterations: 1e9 };
/** One iteration that takes very long. */
const SLOW: DladmmOptions = { ...ENDLESS, sweep: () => new Array<Update>(90_000).fill(W(2)) };

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

const isUsable = async ({ model }: FitResult): Promise<boolean> => {
  const { outputs } = await model.predict(X);
  const finite = [outputs.data, ...model.weights, ...model.biases].every((block) => block.every(Number.isFinite));
  model.close();
  return finite;
};

const expectEnd = (outcome: Outcome, stdout = '', code = 0): void =>
  expect(outcome).toEqual({ code, signal: null, stdout, stderr: '' });

describe('the event loop', () => {
  test('goes on firing timers while an iteration is at work', async () => {
    let fired = 0;
    const timer = setInterval(() => {
      fired += 1;
    }, 1);
    const before: number[] = [];
    const sweep = () => new Array<Update>(4000).fill(W(2));
    await fitModel(DATA, { ...SHORT, iterations: 2, sweep, onIteration: () => before.push(fired) });
    clearInterval(timer);
    const [first = 0, second = 0] = before;
    expect(first).toBeGreaterThan(3);
    expect(second - first).toBeGreaterThan(3);
  });

  test('and the pool of threads that Node’s files need is free while six trainings run', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const running = Array.from({ length: 6 }, () => fitModel(DATA, { ...SLOW, threads: 1, signal }));
    for (let i = 0; i < 20; i++) expect((await stat('.')).isDirectory()).toBe(true);
    controller.abort();
    for (const { status } of await Promise.all(running)) expect(status.kind).toBe('aborted');
  });
});

describe('results', () => {
  const parameters = ({ model }: FitResult) => [...model.weights, ...model.biases];

  test.each([1, 2, 3])('of %i threads are the same, bit for bit, alone and four at once', async (threads) => {
    const alone = await fitModel(DATA, { ...SHORT, threads });
    const together = await Promise.all(Array.from({ length: 4 }, () => fitModel(DATA, { ...SHORT, threads })));
    for (const one of together) {
      expect(parameters(one)).toEqual(parameters(alone));
      expect(one.history.map(({ lagrangian }) => lagrangian)).toEqual(
        alone.history.map(({ lagrangian }) => lagrangian),
      );
    }
  });

  test('are the same in worker threads', async () => {
    const job = `
      const { model, history } = await fit(DATA, { ...OPTIONS, iterations: 3, initialisation: 'he' });
      const result = JSON.stringify([history.map((r) => r.lagrangian), model.weights.map((w) => Buffer.from(w.buffer).toString('base64'))]);
    `;
    const outcome = await runProgram(`
      ${job}
      const workers = [1, 2, 3].map(() => spawn(${JSON.stringify(`${job} parentPort.postMessage(result);`)}));
      const results = await Promise.all(workers.map(messageOf));
      console.log(results.map((one) => one === result).join(), result.length > 1000);
    `);
    expectEnd(outcome, 'true,true,true true\n');
  });
});

describe('an abort', () => {
  test('between two updates leaves a model that can be used, and no listener behind', async () => {
    const controller = new AbortController();
    const training = train(DATA, { ...SLOW, signal: controller.signal });
    setTimeout(() => controller.abort(), 5);
    for await (const _ of training) expect.unreachable();
    expect(training.result).toMatchObject({ status: { kind: 'aborted' }, iterations: 0, history: [] });
    expect(await isUsable(training.result)).toBe(true);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  test('that never comes leaves no listener behind either', async () => {
    const { signal } = new AbortController();
    await fitModel(DATA, { ...SHORT, signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('while samples are loaded, or between two records, does the same', async () => {
    for (const after of [0, 1, 3]) {
      const controller = new AbortController();
      const { signal } = controller;
      const training = train(DATA, { ...ENDLESS, signal });
      if (after === 0) process.nextTick(() => controller.abort());
      for await (const { iteration } of training) if (iteration === after) controller.abort();
      expect(training.result.status.kind).toBe('aborted');
      expect(training.result.iterations).toBe(after);
      expect(await isUsable(training.result)).toBe(true);
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    }
  });

  test('ends just the trainings that have the signal', async () => {
    const controller = new AbortController();
    const [ended, other] = await Promise.all([
      fitModel(DATA, { ...ENDLESS, signal: controller.signal, onIteration: () => controller.abort() }),
      fitModel(DATA, SHORT),
    ]);
    expect(ended.status.kind).toBe('aborted');
    expect(other.status.kind).toBe('completed');
  });

  test('is heard by any number of trainings through one listener', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): number => warnings.push(warning);
    process.on('warning', note);
    const controller = new AbortController();
    const { signal } = controller;
    const running = Array.from({ length: 15 }, () => fitModel(DATA, { ...ENDLESS, threads: 1, signal }));
    // On a busy machine they may begin late; and what is expected in vain must not leave them at work.
    while (getEventListeners(signal, 'abort').length === 0) await turn();
    for (let i = 0; i < 20; i += 1) await turn();
    const listeners = getEventListeners(signal, 'abort').length;
    controller.abort();
    expect(listeners).toBe(1);
    for (const { status } of await Promise.all(running)) expect(status.kind).toBe('aborted');
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  test('is followed by an answer to a read at once: the sweep does not go to its end', async () => {
    const controller = new AbortController();
    const training = train(DATA, { ...SLOW, iterations: 4, signal: controller.signal });
    const ended = (async () => {
      for await (const _ of training);
    })();
    while (getEventListeners(controller.signal, 'abort').length === 0) await turn();
    const read = async () => (await training.read('W', 1)).data;
    while ((await read().catch(() => undefined)) === undefined) await turn();
    controller.abort();
    const answer = await read().catch(({ code }) => code);
    await ended;
    expect(training.result.status.kind).toBe('aborted');
    expect(answer === 'ERR_DLADMM_STATE' || answer.length === 12 * 30).toBe(true);
  });
});

describe('leaving the loop', () => {
  test('by break gives the model of the last record', async () => {
    const training = train(DATA, ENDLESS);
    for await (const { iteration } of training) if (iteration === 3) break;
    expect(training.result).toMatchObject({ status: { kind: 'aborted' }, iterations: 3 });
    const same = await fitModel(DATA, { ...SHORT, iterations: 3 });
    expect(training.result.model.weights).toEqual(same.model.weights);
    expect(await isUsable(training.result)).toBe(true);
  });

  test('by an error hands the error on, and gives the model', async () => {
    const training = train(DATA, ENDLESS);
    const own = new Error('mine');
    const loop = async () => {
      for await (const { iteration } of training) if (iteration === 2) throw own;
    };
    await expect(loop()).rejects.toBe(own);
    expect(training.result.iterations).toBe(2);
    expect(await isUsable(training.result)).toBe(true);
  });

  test('is final: a training is iterated over once', async () => {
    const training = train(DATA, SHORT);
    for await (const _ of training) break;
    await expectFailure(
      async () => {
        for await (const _ of training) expect.unreachable();
      },
      'ERR_DLADMM_STATE',
      'once',
    );
    expect(training.result.iterations).toBe(1);
    const two = train(DATA, SHORT);
    const both = await Promise.allSettled(
      [0, 1].map(async () => {
        for await (const _ of two);
      }),
    );
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(two.result.iterations).toBe(6);
  });
});

describe('process.exit()', () => {
  test.each([
    ['while an iteration is at work', 'setTimeout(() => process.exit(7), 20); await fit(DATA, OPTIONS);'],
    ['in the loop', 'for await (const { iteration } of train(DATA, OPTIONS)) if (iteration === 3) process.exit(7);'],
    ['in onIteration', 'await fit(DATA, { ...OPTIONS, onIteration: () => process.exit(7) });'],
    ['while samples are loaded', 'setImmediate(() => process.exit(7)); await fit(DATA, OPTIONS);'],
    [
      'while a model predicts',
      `const { model } = await fit(DATA, { ...OPTIONS, iterations: 1 });
       for (let i = 0; i < 50; i++) void model.predict(X);
       setImmediate(() => process.exit(7));`,
    ],
    [
      'while workers train',
      `const workers = [1, 2].map(() => spawn("parentPort.postMessage(1); await fit(DATA, OPTIONS);"));
       await Promise.all(workers.map(messageOf));
       setTimeout(() => process.exit(7), 20);
       await fit(DATA, OPTIONS);`,
    ],
    [
      'after an error nobody caught',
      "setTimeout(() => process.exit(7), 20); process.on('uncaughtException', () => {}); void fit(DATA, OPTIONS); throw new Error('x');",
    ],
  ])('%s ends the process with its code', async (_, body) => {
    expectEnd(await runProgram(body), '', 7);
  });

  test('in a worker ends the worker with its code, and the rest goes on', async () => {
    const outcome = await runProgram(`
      const mine = fit(DATA, { ...OPTIONS, iterations: 5 });
      const codes = [
        spawn("setTimeout(() => process.exit(7), 20); await fit(DATA, OPTIONS);"),
        spawn("for await (const { iteration } of train(DATA, OPTIONS)) if (iteration === 2) process.exit(8);"),
      ].map(exitOf);
      console.log((await Promise.all(codes)).join(), (await mine).status.kind);
    `);
    expectEnd(outcome, '7,8 completed\n');
  });
});

describe('a process that just ends', () => {
  test.each([
    ['with a model open', 'const { model } = await fit(DATA, { ...OPTIONS, iterations: 2 }); await model.predict(X);'],
    [
      'with a state that was never used',
      `await layered.open({ network: { layers, activation: 'relu', loss: 'softmax-cross-entropy' },
        dtype: 'float32', softmax: 'stable', threads: 2, gram: false, fista: false }, DATA);`,
    ],
    [
      'with a training left in the middle',
      'const records = train(DATA, OPTIONS)[Symbol.asyncIterator](); await records.next();',
    ],
    [
      'with a state open',
      `
      const state = await layered.open({ network: { layers, activation: 'relu', loss: 'softmax-cross-entropy' },
        dtype: 'float32', softmax: 'stable', threads: 2, gram: false, fista: false }, DATA);
      await state.start({ output: 'forward', dual: 'zero' });`,
    ],
  ])('%s ends with 0', async (_, body) => {
    expectEnd(await runProgram(`${body} console.log('end');`), 'end\n');
  });

  test('waits for the training that it has begun', async () => {
    expectEnd(
      await runProgram(`fit(DATA, { ...OPTIONS, iterations: 3 }).then(({ status }) => console.log(status.kind));`),
      'completed\n',
    );
  });
});

test('a worker that is terminated at any moment leaves nothing behind', async () => {
  const outcome = await runProgram(`
    await fit(DATA, { ...OPTIONS, iterations: 1 });
    const before = threads();
    for (let i = 0; i < 20; i++) {
      const worker = spawn("await fit(DATA, OPTIONS);");
      await new Promise((resolve) => worker.once('online', resolve));
      await sleep((i * 37) % 120);
      await worker.terminate();
    }
    const { status } = await fit(DATA, { ...OPTIONS, iterations: 1 });
    console.log(status.kind, threads() - before);
  `);
  expectEnd(outcome, 'completed 0\n');
});

test('two hundred trainings leave memory and threads as they were', async () => {
  const outcome = await runProgram(
    `
    const small = { x: X.subarray(0, 100 * 500), labels: LABELS.subarray(0, 500) };
    const round = async (count) => {
      for (let i = 0; i < count; i++) {
        const { model } = await fit({ ...small, test: small }, { ...OPTIONS, iterations: 2, threads: 3 });
        await model.predict(small.x);
        // Every other one is left to the garbage collector.
        if (i % 2 === 0) model.close();
        if (i % 10 === 0) { gc(); await sleep(0); }
      }
      for (let i = 0; i < 5; i++) { gc(); await sleep(1); }
    };
    await round(30);
    const before = { threads: threads(), rss: process.memoryUsage().rss };
    await round(200);
    const grown = (process.memoryUsage().rss - before.rss) / 2 ** 20;
    // One of the pool, or one kept for jobs, may be wanted late for the first time.
    const more = threads() - before.threads;
    console.log(more <= 2 ? 0 : more, grown < 80 ? 'small' : grown);
  `,
    '--expose-gc',
  );
  expectEnd(outcome, '0 small\n');
});

test('stores that nobody closes are closed with no word of Node’s, which may become an error: those of an abandoned training too', async () => {
  const path = join(await temporaryFolder(), 'left.samples');
  await packSamples(path, { x: [[0], [1], [2], [3]], labels: [0, 1, 0, 1] });
  const outcome = await runProgram(
    `
    import { readdirSync, readlinkSync } from 'node:fs';
    import { openSamples } from '${new URL('../../dist/data.js', import.meta.url).href}';
    const path = ${JSON.stringify(path)};
    const held = () => readdirSync('/proc/self/fd').filter((fd) => {
      try { return readlinkSync('/proc/self/fd/' + fd) === path; } catch { return false; }
    }).length;
    const leave = async () => {
      await openSamples(path);
      const options = { layers: [1, 2], iterations: 9, threads: 1 };
      for (const data of [path, await openSamples(path)]) await train(data, options)[Symbol.asyncIterator]().next();
    };
    await leave();
    console.log(held());
    for (let i = 0; i < 2000 && held() > 0; i++) { gc(); await sleep(1); }
    console.log(held());
  `,
    '--expose-gc',
  );
  expectEnd(outcome, '3\n0\n');
});

test('a state closed in the middle of a run ends it, and refuses what waits behind', async () => {
  const state = await layered.open(
    {
      ...HOLDING,
      network: { layers: [12, 30, 3], activation: 'relu', loss: 'softmax-cross-entropy' },
      softmax: 'stable',
    },
    DATA,
  );
  await state.start({ output: 'forward', dual: 'zero' });
  const penalties = nativeOf({
    nu: 1,
    rho: 1,
    l2: 0,
    theta0: 1,
    tau0: 1,
    growth: 2,
    search: 'exact',
    output: { kind: 'exact' },
  });
  const running = state.run(new Array<Update>(100_000).fill(W(2)), penalties);
  const behind = expectFailure(() => state.read('W', 1), 'ERR_DLADMM_CLOSED');
  await turn();
  state.close();
  // On a machine that is busy it may not have begun.
  const ended = await running.catch(({ code }: DlAdmmError) => code);
  expect(ended === 'ERR_DLADMM_CLOSED' ? { stopped: true } : ended).toMatchObject({ stopped: true });
  await behind;
});
