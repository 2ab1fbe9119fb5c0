import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { train } from '../../src/index.js';
import { type Live, live } from '../../src/report.js';
import { run } from '../children/run.js';

const x = Array.from({ length: 60 }, (_, i) => [Math.sin(i), Math.cos(2 * i), (i % 7) / 7]);
const labels = x.map(([a = 0, b = 0]) => (a + b > 0 ? 1 : 0));

const training = (options: object = {}) =>
  train({ x, labels }, { solver: 'dladmm', layers: [3, 5, 2], iterations: 1_000_000, ...options });

/** What an address answers with: its status and type. */
const asked = (url: string, method = 'GET', body = ''): Promise<{ readonly status?: number; readonly type?: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method }, ({ statusCode: status = 0, headers: { 'content-type': type = '' } }) => {
      resolve({ status, type });
      sent.destroy();
    });
    sent.on('error', reject).end(body);
  });

/** Goes on with a training until it ends, or something has become so. */
async function going(page: AsyncIterable<unknown>, until: (iterations: number) => boolean = () => false) {
  let iterations = 0;
  for await (const _ of page) {
    iterations += 1;
    if (until(iterations)) break;
  }
  return iterations;
}

const statusOf = ({ result }: Live<never, { readonly status: unknown }>): unknown => result.status;

describe('a live page', () => {
  test('is told to nobody who has not the whole address', async () => {
    const page = await live(training());
    expect(page.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{32}\/$/);
    expect(await asked(page.url)).toEqual({ status: 200, type: 'text/html; charset=utf-8' });
    const root = new URL('/', page.url).href;
    const wrong = page.url.replace(/[0-9a-f](?=\/$)/, (c) => (c === '0' ? '1' : '0'));
    for (const url of [root, wrong, `${wrong}events`, `${root}favicon.ico`, `${page.url.slice(0, -2)}/`]) {
      expect((await asked(url)).status).toBe(403);
    }
    expect((await asked(`${wrong}do`, 'POST', '{"run":0,"what":"stop"}')).status).toBe(403);
    for (const more of ['more', 'events/x', 'do']) expect((await asked(`${page.url}${more}`)).status).toBe(404);
    await page.close();
  });

  test('listens on loopback alone', async () => {
    const page = await live(training());
    const others = Object.values(networkInterfaces()).flatMap((all = []) =>
      all.flatMap(({ internal, family, address }) => (!internal && family === 'IPv4' ? [address] : [])),
    );
    for (const address of ['127.0.0.2', ...others]) {
      await expect(asked(page.url.replace('127.0.0.1', address))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
    await page.close();
    await expect(asked(page.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('that is left in the middle of a wish ends no process, and no training', async () => {
    const dist = (file: string): string => JSON.stringify(new URL(`../../dist/${file}`, import.meta.url).href);
    const program = `
      import { once } from 'node:events';
      import { connect } from 'node:net';
      import { train } from ${dist('index.js')};
      import { live } from ${dist('report.js')};
      const data = { x: [[0], [1]], labels: [0, 1] };
      const page = await live(train(data, { layers: [1, 2], iterations: 20, threads: 1 }));
      const { port, hostname, pathname } = new URL(page.url);
      const left = async () => {
        const socket = connect(Number(port), hostname);
        socket.write('POST ' + pathname + 'do HTTP/1.1\\r\\nhost: x\\r\\nexpect: 100-continue\\r\\ncontent-length: 50\\r\\n\\r\\n{"run":0');
        await once(socket, 'data');
        socket.destroy();
        await once(socket, 'close');
      };
      let records = 0;
      for await (const _ of page) {
        records += 1;
        if (records === 1) await left();
        else await new Promise(setImmediate);
      }
      console.log(records);
      await page.close();`;
    const outcome = await run(process.execPath, ['--input-type=module', '--eval', program]);
    expect(outcome).toEqual({ code: 0, signal: null, stdout: '20\n', stderr: '' });
  });

  test('changes nothing of a training that nobody looks at', async () => {
    const options = { iterations: 4, seed: 5 };
    const plain = training(options);
    for await (const _ of plain);
    const page = await live(training(options));
    expect(await going(page)).toBe(4);
    const { model, status } = page.result;
    expect(status).toEqual({ kind: 'completed' });
    expect(model.weights).toEqual(plain.result.model.weights);
    await page.close();
  });

  test('refuses what it does not know', async () => {
    const refused = (code: string) => expect.objectContaining({ code });
    await expect(live(training(), { prt: 1 } as never)).rejects.toEqual(refused('ERR_DLADMM_ARGUMENT'));
    await expect(live(training(), { port: 70_000 })).rejects.toEqual(refused('ERR_DLADMM_RANGE'));
    await expect(live(undefined as never)).rejects.toEqual(refused('ERR_DLADMM_ARGUMENT'));
    for (const wrong of [{}, Promise.resolve({})])
      await expect(live(wrong as never)).rejects.toEqual(refused('ERR_DLADMM_ARGUMENT'));
    const page = await live(training());
    expect(() => page.beside({} as never)).toThrow(refused('ERR_DLADMM_ARGUMENT'));
    const taken = live(training(), { port: Number(new URL(page.url).port) });
    await expect(taken).rejects.toMatchObject({
      ...{ code: 'ERR_DLADMM_ARGUMENT', message: expect.stringMatching(/a port that is free for options\.port/) },
      cause: expect.objectContaining({ code: 'EADDRINUSE' }),
    });
    const wishes = ['', '[]', 'x', '{"run":1,"what":"stop"}', '{"run":0,"what":"checkpoint"}', 'y'.repeat(2000)];
    for (const wish of wishes) expect((await asked(`${page.url}do`, 'POST', wish)).status).toBe(400);
    await page.close();
  });
});

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

describe.skipIf(executablePath === undefined)('a live page in a browser', () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dladmm-live-'));
    browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true });
  });

  async function opened(url: string) {
    const tab = await browser.newPage();
    const said: string[] = [];
    tab.on('console', (message) => void said.push(message.text()));
    tab.on('pageerror', (error) => void said.push(String(error)));
    await tab.goto(url);
    return { tab, said };
  }

  const button = (tab: Page, name: string, run = 0) => tab.locator(`#run${run}`).getByRole('button', { name });
  const iteration = async (tab: Page): Promise<number> =>
    Number(/iteration (\d+)/.exec((await tab.textContent('#run0 .now')) ?? '')?.[1]);
  const becomes = (tab: Page, state: string, run = 0) => tab.waitForSelector(`#run${run} .state:text-is("${state}")`);

  test('follows a training, its curves in words too, and stops it with its model', async () => {
    const page = await live(training(), { title: '<b>Digits</b>', settings: { rho: 3 } });
    const ended = going(page);
    const { tab, said } = await opened(page.url);
    await tab.waitForSelector('#run0 .plot canvas');
    await button(tab, '10 a second').click();
    expect(await tab.textContent('#run0 h2')).toBe('<b>Digits</b>');
    const drawn = await tab.locator('.plot canvas').count();
    expect(drawn).toBe(await tab.locator('figure').count());
    expect(drawn).toBeGreaterThan(3);
    const before = await iteration(tab);
    await expect.poll(() => iteration(tab), { timeout: 20_000 }).toBeGreaterThan(before);
    // What has converged may say the same for long.
    expect(await tab.textContent('figcaption')).toMatch(/ goes from .* to /);
    await tab.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
    const found = (await tab.evaluate('axe.run().then(({ violations }) => violations)')) as readonly {
      readonly id: string;
      readonly impact: string;
    }[];
    expect(found.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id }) => id)).toEqual([]);
    await button(tab, 'Stop').click();
    await ended;
    await becomes(tab, 'aborted');
    expect(statusOf(page as never)).toEqual({ kind: 'aborted' });
    expect(said).toEqual([]);
    await tab.close();
    await page.close();
  });

  test('may be closed and opened again, in two tabs; the training goes on, from a pause too', async () => {
    const page = await live(training());
    let [done, enough] = [0, Number.POSITIVE_INFINITY];
    const ended = going(page, (iterations) => {
      done = iterations;
      return done >= enough;
    });
    const [{ tab: first }, { tab: second }] = await Promise.all([opened(page.url), opened(page.url)]);
    for (const tab of [first, second]) await tab.waitForSelector('.plot canvas');
    await button(first, 'Pause').click();
    await second.waitForSelector('[data-rate="0"][aria-pressed=true]');
    await first.close();
    const paused = done;
    const { tab: between } = await opened(page.url);
    await between.waitForSelector('.plot canvas');
    await between.close();
    expect(done).toBeLessThanOrEqual(paused + 1);
    await second.close();
    enough = paused + 50;
    await ended;
    const { tab: third } = await opened(page.url);
    await becomes(third, 'aborted');
    expect(await iteration(third)).toBeGreaterThanOrEqual(enough);
    await third.close();
    await page.close();
  });

  test('has a checkpoint written where the training has a file for it', async () => {
    const path = join(folder, 'run.checkpoint');
    const page = await live(training({ checkpoint: { path, every: 1e9 } }));
    const written = (async () => {
      for await (const { checkpoint } of page) if (checkpoint) return checkpoint.path;
      return undefined;
    })();
    const { tab } = await opened(page.url);
    await button(tab, 'Write a checkpoint').click();
    expect(await written).toBe(path);
    expect(existsSync(path)).toBe(true);
    await tab.close();
    await page.close();
  });

  test('shows several trainings, and what is asked of one is not done to the other', async () => {
    const page = await live(training(), { title: 'one' });
    const other = page.beside(training(), { title: 'two' });
    expect(other.url).toBe(page.url);
    let stop = false;
    const ended = [going(page, () => stop), going(other)];
    const { tab } = await opened(page.url);
    await tab.waitForSelector('#run1 .plot canvas');
    expect(await button(tab, 'Write a checkpoint', 1).count()).toBe(0);
    await button(tab, 'Stop', 1).click();
    await ended[1];
    await becomes(tab, 'aborted', 1);
    expect(await tab.textContent('#run0 .state')).toBe('under way');
    stop = true;
    await ended[0];
    await tab.close();
    await page.close();
  });
});
