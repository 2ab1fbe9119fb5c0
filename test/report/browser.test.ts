import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fit, Model } from '../../src/index.js';
import { comparison, shownOf } from '../../src/report/comparison.js';
import { report } from '../../src/report.js';
import { ring } from './support.js';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser'];
const executablePath = BROWSERS.find((path) => existsSync(path));

const x = Array.from({ length: 60 }, (_, i) => [Math.sin(i), Math.cos(2 * i), (i % 7) / 7]);
const labels = x.map(([a = 0, b = 0]) => (a + b > 0 ? 1 : 0));
const judged = { ...ring, testIndex: Int32Array.of(1, 3, 5, 7, 9) };

const long = Array.from({ length: 100_000 }, (_, i) => ({
  ...{ iteration: i + 1, seconds: 0.001, elapsed: i / 1000, loss: 1 / (i + 1) },
  residuals: [1, 2, 3].map((layer) => layer / (i + 1)),
}));

/** A page that is the same for ever, with every kind of chart. */
function pictured(): string {
  const layers = [6, 5, 3];
  const weights = [30, 15].map((size, k) => Float64Array.from({ length: size }, (_, i) => Math.sin((i + 1) * (k + 2))));
  const model = new Model({
    network: { layers, activation: 'relu', loss: 'softmax-cross-entropy' },
    ...{ dtype: 'float64', weights, biases: [5, 3].map((width) => new Float64Array(width)) },
  });
  const history = Array.from({ length: 60 }, (_, i) => ({
    ...{ iteration: i + 1, seconds: 0.01, elapsed: i / 100, loss: 1 + Math.cos(i / 8) },
    residuals: [1, 2, 3].map((layer) => 10 ** (layer - i / 15)),
    updates: ['z', 'W', 'a'].map((block, k) => ({ block, layer: k + 1, seconds: (k + 1) / 1000 })),
  }));
  const shares = Array.from({ length: 11 }, (_, i) => i / 10);
  const scores = {
    classes: ['ash', 'beech', 'oak'].map((name) => ({ name })),
    confusion: [
      [40, 5, 0],
      [10, 20, 30],
      [0, 1, 50],
    ],
    drawn: {
      roc: shares.map((share) => [share, Math.sqrt(share)]),
      bins: shares.map((share) => ({ told: share, found: share ** 2 })),
    },
  };
  const points = Array.from({ length: 80 }, (_, i) => [i / 8, Math.sin(i)]);
  const told = { scores, test: { drawn: { residuals: [points] } } };
  const ended = { status: { kind: 'completed' }, iterations: 60, seconds: 0.6 };
  return report({ model, history, ...ended, report: told } as never);
}

/** Which of the charts has a title. */
const chartNumber = (tab: Page, title: string): Promise<number> =>
  tab.evaluate(
    `[...document.querySelectorAll('figure h3')].findIndex((each) => each.textContent === ${JSON.stringify(title)})`,
  );

/** Where nothing is drawn. */
const PAPER = { light: '[255, 255, 255]', dark: '[22, 23, 27]' } as const;

/** In the browser: of the cells in which there is something in either of two pictures, the share in which they differ. */
const differing = `async (urls, paper) => {
  const [a, b] = await Promise.all(urls.map(async (src) => {
    const image = new Image();
    image.src = src;
    await image.decode();
    const [width, height] = [Math.round(image.width / 8), Math.round(image.height / 8)];
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  }));
  if (a.width !== b.width || a.height !== b.height) return 1;
  const apart = (one, i, other, j) => [0, 1, 2].some((k) => Math.abs(one[i + k] - other[j + k]) > 16);
  const cells = Array.from({ length: a.data.length / 4 }, (_, i) => 4 * i);
  const drawn = cells.filter((i) => [a, b].some(({ data }) => apart(data, i, paper, 0)));
  return drawn.length === 0 ? 1 : drawn.filter((i) => apart(a.data, i, b.data, i)).length / drawn.length;
}`;

describe.skipIf(executablePath === undefined)(
  'a page in a browser (Chromium is not installed where this is skipped)',
  () => {
    let browser: Browser;
    let folder: string;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'dladmm-pages-'));
      browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] });
    });
    afterAll(async () => {
      await browser?.close();
      await rm(folder, { recursive: true });
    });

    /** Opens a page, and tells what it drew, said and asked for. */
    async function opened(page: string, colorScheme: 'light' | 'dark' = 'light') {
      const path = join(folder, 'page.html');
      await writeFile(path, page);
      const tab = await browser.newPage({ colorScheme, viewport: { width: 900, height: 700 } });
      const said: string[] = [];
      const asked: string[] = [];
      tab.on('console', (message) => void said.push(message.text()));
      tab.on('pageerror', (error) => void said.push(String(error)));
      tab.on('request', (request) => void asked.push(request.url()));
      await tab.goto(pathToFileURL(path).href);
      const drawn = await tab.evaluate('document.querySelectorAll(".plot canvas").length');
      const figures = await tab.evaluate('document.querySelectorAll("figure").length');
      return { tab, said, asked, drawn, figures };
    }

    /** What axe-core calls serious, or worse. */
    async function seriousFaults(tab: Page): Promise<readonly string[]> {
      await tab.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
      const found = (await tab.evaluate('axe.run().then(({ violations }) => violations)')) as {
        readonly id: string;
        readonly impact: string;
      }[];
      return found.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id }) => id);
    }

    const samples = { x, labels };
    test.each([
      ['dladmm', { iterations: 8 }],
      ['variable-metric-admm', { iterations: 4 }],
      ['sigmoid-admm', { iterations: 4, activation: 'sigmoid', loss: 'one-hot-squared-error' }],
      ['inversion-admm', { iterations: 3 }],
      ['minibatch-admm', { epochs: 3 }],
      ['badm', { epochs: 3 }],
      ['sisa', { epochs: 3 }],
      ['adam', { epochs: 3 }],
    ])('of %s opens without an error or a request, and draws every chart', async (solver, options) => {
      const result = await fit(samples, { solver, layers: [3, 5, 2], ...options } as never);
      const { tab, said, asked, drawn, figures } = await opened(report(result as never), 'dark');
      expect(said).toEqual([]);
      expect(asked).toHaveLength(1);
      expect(figures).toBeGreaterThan(1);
      expect(drawn).toBe(figures);
      await tab.close();
    });

    test('of a graph does so too', async () => {
      const result = await fit(judged, { layers: [2, 4, 2], iterations: 5 });
      const { tab, said, drawn, figures } = await opened(report(result as never));
      expect([said, drawn]).toEqual([[], figures]);
      await tab.close();
    });

    test('of values draws their residuals', async () => {
      const rows = x.map(([a = 0, b = 0]) => ({ a, b, value: a - b }));
      const result = await fit(rows, { target: 'value', epochs: 3 });
      const { tab, said, drawn, figures } = await opened(report(result as never));
      expect([said, drawn]).toEqual([[], figures]);
      expect(await tab.textContent('main')).toContain(': residuals');
      await tab.close();
    });

    test('of several targets draws the residuals of each, by its name', async () => {
      const rows = x.map(([a = 0, b = 0]) => ({ a, b, sum: a + b, none: 0 * a + Number(a > 0) * 3 + b }));
      const result = await fit(rows, { target: ['sum', 'none'], epochs: 3 });
      const { tab, said, drawn, figures } = await opened(report(result as never));
      expect([said, drawn]).toEqual([[], figures]);
      const page = await tab.textContent('main');
      for (const target of ['sum', 'none']) expect(page).toContain(`: residuals of ${target}`);
      await tab.close();
    });

    test('has no fault that axe-core calls serious', async () => {
      const rows = x.map(([a, b], i) => ({ a, b, kind: labels[i] ? 'yes' : 'no' }));
      for (const scheme of ['light', 'dark'] as const) {
        const { tab } = await opened(report((await fit(rows, { target: 'kind', epochs: 3 })) as never), scheme);
        expect(await seriousFaults(tab)).toEqual([]);
        await tab.close();
      }
    });

    test('of several runs opens without an error or a request, draws every chart, and has no serious fault', async () => {
      const runs = ['one', '<b>other</b>'].map((id, i) =>
        shownOf({
          head: { id, name: 'judged', began: '', version: '', kernels: '', settings: { rho: i } },
          records: long.slice(0, 20 + i),
          end: { status: 'completed', testAccuracy: 0.5 },
        }),
      );
      for (const scheme of ['light', 'dark'] as const) {
        const { tab, said, asked, drawn, figures } = await opened(comparison(runs), scheme);
        expect([said, asked.length, drawn]).toEqual([[], 1, figures]);
        expect(figures).toBeGreaterThan(1);
        expect(await seriousFaults(tab)).toEqual([]);
        await tab.close();
      }
    });

    // Cells of 8 × 8 pixels are compared, where something is drawn; at most a tenth may differ, so that the edges of lines do not matter.
    // The texts beside a chart and in a table are not looked at: no font moves anything.
    describe.each(['light', 'dark'] as const)('has the pictures that are kept, %s:', (scheme) => {
      let tab: Page;
      let compared: Page;
      beforeAll(async () => {
        ({ tab } = await opened(pictured(), scheme));
        await tab.addStyleTag({
          content:
            'table{table-layout:fixed;width:800px}tr>:last-child{width:220px}th,td,caption{height:24px;line-height:24px;white-space:nowrap;overflow:hidden;color:transparent!important}',
        });
        compared = await browser.newPage();
      });
      afterAll(async () => {
        for (const each of [tab, compared]) await each?.close();
      });

      test.each([
        ['curve', 'Loss'],
        ['layers', 'Primal residuals'],
        ['spectra', 'Singular values of the weights'],
        ['roc', 'What is held out: ROC'],
        ['calibration', 'What is held out: calibration'],
        ['residuals', 'The test set: residuals'],
        ['confusion', 'What is held out: true classes down, predicted ones across'],
        ['time', 'Seconds of all iterations by what they were spent on'],
        ['timeline', 'Iteration 60 as a timeline'],
      ])('%s', async (name, title) => {
        const chart = await chartNumber(tab, title);
        const drawn =
          chart < 0 ? tab.locator(`[aria-label="${title}"] table`) : tab.locator('.plot .u-over').nth(chart);
        const picture = await drawn.screenshot();
        const kept = new URL(`../fixtures/pages/${name}-${scheme}.png`, import.meta.url);
        if (process.env.DLADMM_PICTURES) await writeFile(kept, picture);
        const both = [picture, await readFile(kept)].map((png) => `data:image/png;base64,${png.toString('base64')}`);
        expect(await compared.evaluate(`(${differing})(${JSON.stringify(both)}, ${PAPER[scheme]})`)).toBeLessThan(0.1);
      });
    });

    test('prints dark ink on white paper, from a dark page too, with its bars', async () => {
      const { tab } = await opened(pictured(), 'dark');
      const ofAxis = () => tab.evaluate('document.querySelector(".plot").plot.axes[0].stroke()');
      expect(await ofAxis()).toBe('#e7e8ec');
      await tab.emulateMedia({ media: 'print' });
      await expect.poll(ofAxis).toBe('#1c1d22');
      const style = (of: string, what: string) =>
        tab.evaluate(`getComputedStyle(document.querySelector('${of}')).getPropertyValue('${what}')`);
      expect(await style('body', 'background-color')).toBe('rgb(255, 255, 255)');
      expect(await style('.bar', 'print-color-adjust')).toBe('exact');
      expect(await style('details:not([open])', 'display')).toBe('none');
      expect((await tab.pdf()).length).toBeGreaterThan(10_000);
      await tab.close();
    });

    test('is read by keyboard: what is folded opens, and what is wide scrolls', async () => {
      const { tab } = await opened(pictured());
      const met = new Set<string>();
      const now = 'document.activeElement.matches("summary, [role=region]") ? document.activeElement.tagName : "other"';
      for (let i = 0; i < 60; i += 1) {
        await tab.keyboard.press('Tab');
        met.add(String(await tab.evaluate(now)));
        if ((await tab.evaluate('document.activeElement.tagName')) === 'SUMMARY' && met.size === 1) {
          await tab.keyboard.press('Enter');
          expect(await tab.evaluate('document.activeElement.parentElement.open')).toBe(true);
        }
      }
      expect([...met]).toEqual(expect.arrayContaining(['SUMMARY', 'DIV']));
      await tab.close();
    });

    test('shows markup in names as text', async () => {
      const title = '<img src=x onerror="document.title=1"><script>document.title = 2</script>';
      const result = await fit(samples, { solver: 'adam', layers: [3, 5, 2], epochs: 1 });
      const { tab } = await opened(report(result, { title }));
      expect(await tab.title()).toBe(title);
      expect(await tab.textContent('h1')).toBe(title);
      await tab.close();
    });

    test('of a hundred thousand records stays below 2 MB, and draws', async () => {
      const result = await fit(samples, { solver: 'adam', layers: [3, 5, 2], epochs: 1 });
      const page = report({ ...result, history: long });
      expect(page.length).toBeLessThan(2e6);
      const { tab, said, drawn } = await opened(page);
      expect([said, drawn]).toEqual([[], 4]);
      await tab.close();
    });
  },
);
