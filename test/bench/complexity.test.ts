import { describe, expect, test } from 'vitest';
import { crossover, cubicShare, fitPowerLaw, ratiosOf, STUDENT, type Timing } from '../../dist/bench/complexity/fit.js';
import { type Curve, type TimedBlock, widths } from '../../dist/bench/complexity/measure.js';
import {
  marksOf,
  reportJson,
  reportsOf,
  type SettingReport,
  settingReport,
  specificationOf,
  tableOf,
} from '../../dist/bench/complexity/report.js';
import { HOW_TO_HAVE_CHARTS, loadCharts } from '../../dist/bench/harness/figures.js';

const SIZES = widths(4096);
const timings = (seconds: (n: number) => number, sizes: readonly number[] = SIZES): readonly Timing[] =>
  sizes.map((n) => ({ n, seconds: seconds(n) }));

describe('the widths', () => {
  test('grow by √2 from 64 to the largest one', () => {
    expect(SIZES).toEqual([64, 91, 128, 181, 256, 362, 512, 724, 1024, 1448, 2048, 2896, 4096]);
    expect(widths(4095).at(-1)).toBe(2896);
  });
});

describe('the fit of a power law', () => {
  test.each([2, 2.37, 3])('finds the exponent %d of a curve without scatter, and no doubt about it', (exponent) => {
    const fit = fitPowerLaw(timings((n) => 3e-9 * n ** exponent));
    expect(fit?.exponent).toBeCloseTo(exponent, 10);
    expect(Math.exp(fit?.intercept ?? 0)).toBeCloseTo(3e-9, 15);
    expect(fit?.ci?.[0]).toBeCloseTo(exponent, 6);
    expect(fit?.range).toEqual([64, 4096]);
  });

  test('has the interval that a calculation by hand gives', () => {
    // log n = 0, 1, 2 and log time = 0, 1, 3: slope 1.5, squared misses 1/6, t of one degree of freedom 12.7062.
    const fit = fitPowerLaw([0, 1, 2].map((x, i) => ({ n: Math.exp(x), seconds: Math.exp([0, 1, 3][i] ?? 0) })));
    expect(fit?.exponent).toBeCloseTo(1.5, 12);
    const half = 12.7062 * Math.sqrt(1 / 6 / 2);
    expect(fit?.ci?.[0]).toBeCloseTo(1.5 - half, 4);
    expect(fit?.ci?.[1]).toBeCloseTo(1.5 + half, 4);
  });

  test('has no interval through two points, and is none through one', () => {
    expect(fitPowerLaw(timings((n) => n, [64, 128]))?.ci).toBeNull();
    expect(fitPowerLaw(timings((n) => n, [64]))).toBeNull();
    expect(fitPowerLaw([])).toBeNull();
  });

  test.each([
    [1, 12.7062],
    [2, 4.3027],
    [3, 3.1824],
    [4, 2.7764],
    [5, 2.5706],
    [11, 2.201],
    [17, 2.1098],
  ])('takes Student’s t of %d degrees of freedom from the table: %d', (degrees, t) => {
    expect(STUDENT[degrees - 1]).toBeCloseTo(t, 4);
  });
});

describe('the share of the cubic term', () => {
  test('is that of the curve at its largest width', () => {
    // 4e-10 n² and 1e-12 n³: at 4096 the second is 4096/400 times the first.
    expect(cubicShare(timings((n) => 4e-10 * n ** 2 + 1e-12 * n ** 3))).toBeCloseTo(4096 / 4496, 8);
  });

  test('stays between none and all', () => {
    expect(cubicShare(timings((n) => n ** 1.5))).toBe(0);
    expect(cubicShare(timings((n) => n ** 3.5))).toBe(1);
    expect(cubicShare(timings((n) => n ** 3, [64, 128]))).toBeNull();
  });
});

describe('the crossover', () => {
  const quadratic = timings((n) => 1e-9 * n ** 2);
  const beside = (inversion: readonly Timing[]) => crossover(ratiosOf(quadratic, inversion));

  test('of n³ over n² is where their constants say', () => {
    const found = beside(timings((n) => 2e-12 * n ** 3));
    expect(found.n).toBeCloseTo(500, 6);
    expect(found.notSlowerAt).toEqual([64, 91, 128, 181, 256, 362]);
  });

  test('is the last of several', () => {
    const slower = new Set([64, 91, 362, 2896, 4096]);
    const inversion = timings((n) => 1e-9 * n ** 2 * (slower.has(n) ? 2 : 0.5));
    const { n } = beside(inversion);
    expect(n).toBeCloseTo(Math.sqrt(2048 * 2896), 6);
  });

  test('is none where inversion is slower everywhere', () => {
    const found = beside(timings((n) => 3e-9 * n ** 2));
    expect(found).toEqual({ n: null, reason: 'slower at every width measured', notSlowerAt: [] });
  });

  test('is none where inversion is slower nowhere', () => {
    const found = beside(timings((n) => 1e-10 * n ** 2));
    expect(found).toEqual({ n: null, reason: 'not slower at any width measured', notSlowerAt: SIZES });
  });

  test('is none where inversion is not slower in the end', () => {
    const found = beside(timings((n) => 1e-6 * n));
    expect(found).toMatchObject({ n: null, reason: 'not slower at the largest width' });
    expect(found.notSlowerAt).toEqual([1024, 1448, 2048, 2896, 4096]);
  });

  test('looks only at widths that both curves have', () => {
    const some = timings((n) => 2e-12 * n ** 3, [64, 1024]);
    expect(beside(some).n).toBeCloseTo(500, 6);
    expect(beside([]).n).toBeNull();
  });
});

const curve = (block: TimedBlock, kind: Curve['kind'], seconds: (n: number) => number, factorShare = 0): Curve => ({
  block,
  kind,
  points: timings(seconds).map((timing) => ({ ...timing, factorShare, runs: 3 })),
});

/** Inversion of W in n³ that crosses at 500, of a always slower. */
const report = (dtype: 'float32' | 'float64', samples: number | 'n'): SettingReport =>
  settingReport({ dtype, samples }, [
    curve('W', 'quadratic', (n) => 1e-9 * n ** 2),
    curve('W', 'inverse', (n) => 2e-12 * n ** 3, 0.75),
    curve('a', 'quadratic', (n) => 1e-9 * n ** 2),
    curve('a', 'inverse', (n) => 1e-9 * n ** 2 + 1e-12 * n ** 3, 0.5),
  ]);

describe('the report', () => {
  test('fits the quadratic step from 512 on and the inversions from 1024 on', () => {
    const { quadratic, inverse, cholesky } = report('float32', 256);
    expect(quadratic?.W?.fittedOver).toEqual([512, 4096]);
    expect(inverse?.W?.fittedOver).toEqual([1024, 4096]);
    expect(cholesky).toBeUndefined();
  });

  test('as JSON has the exponents at its top, the other type and the other number of samples below', () => {
    const reports = [report('float32', 256), report('float64', 256), report('float32', 'n'), report('float64', 'n')];
    const json = JSON.parse(JSON.stringify(reportJson(reports)));
    expect(json).toMatchObject({
      dtype: 'float32',
      samples: 256,
      crossover: { W: { inverse: 500 }, a: { inverse: null } },
      speedup: { W: { inverse: { n: 4096 } } },
      float64: { dtype: 'float64', samples: 256 },
      samplesEqualN: { dtype: 'float32', samples: 'n', float64: { dtype: 'float64', samples: 'n' } },
    });
    expect(reportsOf(json).map(({ dtype, samples }) => [dtype, samples])).toEqual(
      reports.map(({ dtype, samples }) => [dtype, samples]),
    );
    expect(json.quadratic.W.exponent).toBeCloseTo(2, 10);
    expect(json.inverse.W.exponent).toBeCloseTo(3, 10);
    expect(json.inverse.W.ci).toHaveLength(2);
    expect(json.inverse.W.factorShare).toBe(0.75);
    expect(json.inverse.a.cubicShare).toBeCloseTo(4096 / 5096, 8);
    expect(json.speedup.W.inverse.ratio).toBeCloseTo(4096 / 500, 8);
    expect(json.samplesEqualN.inverse.W).not.toHaveProperty('cubicShare');
  });

  test('says where inversion is slower, and where it is not', () => {
    expect(report('float32', 256).notes).toEqual([
      'W by inverse: slower from n = 500 on; not slower than the quadratic step at n = 64, 91, 128, 181, 256, 362 (at best 0.13 of its time)',
      'a by inverse: slower at every width measured',
    ]);
  });

  test('as a table has a row for every width', () => {
    const lines = tableOf(report('float32', 256)).split('\n');
    expect(lines[0]).toBe('float32, 256 samples: milliseconds an update, medians');
    expect(lines[2]?.split(/ +/)).toEqual(['64', '0.00410', '0.000524', '0.00410', '0.00436']);
    expect(lines.filter((line) => /^\d/.test(line))).toHaveLength(SIZES.length);
    expect(lines.find((line) => line.startsWith('exponent'))).toMatch(/2\.00 ±0\.00 +3\.00 ±0\.00/);
  });
});

describe('the picture', () => {
  test('marks every median, both ends of every fitted line, and the crossovers', () => {
    const marks = marksOf([report('float32', 256)]);
    const count = (part: string): number => marks.filter((mark) => mark.part === part).length;
    expect([count('measured'), count('fit'), count('crossover')]).toEqual([4 * SIZES.length, 8, 1]);
    expect(marks.find((mark) => mark.part === 'crossover')).toMatchObject({ kind: 'inverse', label: 'n = 500' });
  });

  test('is one SVG that needs nothing beside it', async () => {
    const charts = await loadCharts();
    const svg = (await charts?.(specificationOf([report('float32', 256), report('float32', 'n')]))) ?? '';
    expect(svg).toMatch(/^<svg .*<\/svg>$/s);
    expect(svg).not.toMatch(/href=|<image|<script|url\(/);
    for (const text of ['float32, 256 samples', 'float32, samples = n', '2.00', '3.00', 'n = 500']) {
      expect(svg).toContain(`>${text}</text>`);
    }
  });

  test('is left out where the charting library is missing', async () => {
    const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
    expect(await loadCharts(() => Promise.reject(missing))).toBeUndefined();
    expect(HOW_TO_HAVE_CHARTS).toContain('npm install vega vega-lite');
    await expect(loadCharts(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  });
});
