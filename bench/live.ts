/**
 * What a page that follows a training costs it: its seconds an iteration over those of one without a page, by turns on the same data. The page is read
 * by a client of its events in a process of its own; then Chromium draws it, where that and playwright-core are there. With `--report` in place of that:
 * the bytes of the page of so many records, and the seconds in which Chromium draws it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { fit, type TrainOptions, train } from 'dladmm';
import { live, report, type Trained } from 'dladmm/report';
import { count, flag, layers, program, real, THREADS, text } from './harness/program.js';
import { measured } from './harness/results.js';
import { byRounds, randomSamples, ratioOf, timed } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { upTo } from './harness/study.js';
import { table } from './harness/table.js';

const TRAINING = { solver: text('dladmm'), layers: layers('784-500-500-10'), samples: count(2000), threads: THREADS };
const PAGES = { report: flag, records: count(100_000), chromium: text('/usr/bin/chromium') };
const OPTIONS = { ...TRAINING, rounds: count(9), seconds: real(3), ...PAGES };
/** What is to be sent of one turn goes out before the next one, in milliseconds. */
const REST = 600;
/** Says that the first event is there, and reads on. */
const CLIENT =
  'fetch(process.argv[1]).then(async (r) => { let n = 0; for await (const _ of r.body) n++ || console.log(n); })';

/** How many charts there are, once they have been painted. */
const CHARTS =
  'new Promise((then) => requestAnimationFrame(() => setTimeout(() => then(document.querySelectorAll(".plot canvas").length))))';

await program(OPTIONS, async ({ solver, layers, samples, threads, rounds, seconds, records, ...asked }) => {
  const { chromium } = existsSync(asked.chromium) ? await import('playwright-core') : { chromium: undefined };
  await using browser = await chromium?.launch({ executablePath: asked.chromium, args: ['--no-sandbox'] });
  if (asked.report) {
    const history = upTo(records).map((iteration) => ({
      ...{ iteration, seconds: 1e-3, elapsed: iteration / 1000, loss: 1 / iteration },
      residuals: [1, 2, 3].map((layer) => layer / iteration),
    }));
    const result = await fit(randomSamples([4, 3, 2], 50), { solver: 'adam', layers: [4, 3, 2], epochs: 1 });
    const page = report({ ...result, history } as Trained);
    const folder = await mkdtemp(join(tmpdir(), 'dladmm-live-'));
    await writeFile(join(folder, 'page.html'), page);
    const tab = await browser?.newPage();
    const drawing = timed(async () => {
      await tab?.goto(pathToFileURL(join(folder, 'page.html')).href);
      return tab?.evaluate(CHARTS);
    });
    const { found: charts, seconds: drawn } = await drawing.finally(() => rm(folder, { recursive: true }));
    const found = { records, bytes: Buffer.byteLength(page), charts: Number(charts ?? 0), drawn: tab ? drawn : null };
    const time = `${found.charts} charts in ${found.drawn?.toFixed(2) ?? '– (no browser)'} s`;
    return measured(threads, found, `${records} records: ${found.bytes} bytes, ${time}`);
  }

  const data = randomSamples(layers, samples);
  const begin = () => train(data, { solver, layers, threads, iterations: 1e6 } as TrainOptions);
  /** Seconds an iteration of both, while somebody looks: `look` resolves when the page is open, to what closes it. */
  async function compared(by: string, look: (url: string) => Promise<() => unknown>) {
    const page = await live(begin());
    const both = [begin(), page].map((training) => training[Symbol.asyncIterator]());
    for (const each of both) await each.next(); // touches its memory
    const close = await look(page.url);
    const works = both.map((training) => async () => {
      await sleep(REST);
      const began = performance.now();
      let done = 0;
      for (; performance.now() < began + 1000 * seconds; done += 1) await training.next();
      return (performance.now() - began) / 1000 / done;
    });
    const [without = [], open = []] = await byRounds(works, (round) => round < rounds);
    await close();
    for (const each of both) await each.return?.();
    await page.close();
    return { by, without: median(without), open: median(open), ratio: ratioOf(open, without) };
  }
  const read = async (url: string) => {
    const child = spawn(process.execPath, ['-e', CLIENT, `${url}events`], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    return () => child.kill();
  };
  const draw = async (url: string) => {
    const tab = await browser?.newPage();
    await tab?.goto(url);
    await tab?.waitForSelector('.plot canvas');
    return () => tab?.close();
  };
  const rows = [await compared('a client', read), ...(browser ? [await compared('Chromium', draw)] : [])];
  const cells = rows.map(({ by, ...its }) => [by, ...Object.values(its).map((value) => value.toPrecision(4))]);
  const head = ['page open in', 's/iteration without', 'with', 'ratio'];
  return measured(threads, { solver, layers: layers.join('-'), samples, rounds, rows }, table(head, cells));
});
