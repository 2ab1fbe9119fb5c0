import { beforeAll, describe, expect, test } from 'vitest';
import { importance } from '../../src/choosing.js';
import { fit, Model } from '../../src/index.js';
import { promisesOf } from '../../src/report/certificate.js';
import { chartsOf, timesOf } from '../../src/report/charts.js';
import { report, type Trained } from '../../src/report.js';
import { dladmm } from '../../src/solvers/dladmm/solver.js';

const x = Array.from({ length: 60 }, (_, i) => [Math.sin(i), Math.cos(2 * i), (i % 7) / 7]);
const labels = x.map(([a = 0, b = 0]) => (a + b > 0 ? 1 : 0));

const trained = (solver: string, options: object = {}): Promise<Trained> =>
  fit({ x, labels }, { solver, layers: [3, 5, 2], seed: 3, ...options } as never) as unknown as Promise<Trained>;

const bare = { status: { kind: 'completed' }, iterations: 1, seconds: 1, history: [] } as const;

const drawn = (page: string) =>
  [...page.matchAll(/<script type="application\/json">(.*?)<\/script>/g)].map(([, json]) => JSON.parse(json as string));

const titles = (page: string): readonly string[] => drawn(page).map(({ title }) => title);

describe('the page of a training', () => {
  let ours: Trained;
  beforeAll(async () => {
    ours = await trained('dladmm', { iterations: 12, rho: 2, nu: 1 });
  });

  test('is one file, which asks nothing of any network', () => {
    const page = report(ours);
    const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page) ?? [];
    expect(policy).toMatch(/^default-src 'none'/);
    expect(page.replace(/<script>[\s\S]*?<\/script>/g, '')).not.toMatch(/\b(?:src|href)=(?!"data:)|url\(|@import/);
    expect(page.length).toBeLessThan(600_000);
  });

  test('draws what dlADMM tells: Lagrangian, residuals by layer, step sizes, penalties', () => {
    const page = report(ours);
    expect(titles(page)).toEqual(
      expect.arrayContaining([
        'Loss',
        'Augmented Lagrangian',
        'Primal residuals',
        'Dual residual',
        'Step sizes',
        'Penalties',
      ]),
    );
    const residuals = drawn(page).find(({ title }) => title === 'Primal residuals');
    expect(residuals.x).toEqual(ours.history.map(({ iteration }) => iteration));
    expect(residuals.curves).toHaveLength(2);
    const sizes = drawn(page).find(({ title }) => title === 'Step sizes');
    expect(sizes.curves.map(({ name }: { name: string }) => name).sort()).toEqual(['θ of W 1', 'θ of W 2', 'τ of a 1']);
  });

  test.each([
    ['adam', { epochs: 3 }, ['Learning rate']],
    ['minibatch-admm', { epochs: 3 }, ['Learning rate']],
    ['inversion-admm', { iterations: 3 }, ['Primal residuals']],
    ['variable-metric-admm', { iterations: 3 }, ['Objective', 'What the KKT conditions miss by']],
    ['sigmoid-admm', { iterations: 3 }, ['Gradients of the Lagrangian in W']],
    ['sisa', { epochs: 3 }, []],
  ])('is made of a training by %s', async (solver, options, shown) => {
    const result = await trained(solver, options);
    expect(titles(report(result))).toEqual(expect.arrayContaining(['Loss', 'Seconds of an iteration', ...shown]));
  });

  test('draws how the learning rate falls, as the last step of each epoch had it', async () => {
    const { history } = await trained('adam', {
      epochs: 4,
      learningRate: 0.5,
      learningRateSchedule: 'cosine',
      batchSize: 60,
    });
    const rates = [0, 1, 2, 3].map((gone) => 0.25 * (1 + Math.cos((Math.PI * gone) / 4)));
    const [chart] = chartsOf(history).filter(({ title }) => title === 'Learning rate');
    for (const [i, rate] of rates.entries()) expect(chart?.curves[0]?.values[i]).toBeCloseTo(rate, 4);
    expect(chartsOf((await trained('kfac', { epochs: 1 })).history).map(({ title }) => title)).not.toContain(
      'Learning rate',
    );
  });

  test('tells every chart in words and in a table', () => {
    const page = report(ours);
    const figures = page.split('<figure>').slice(1);
    expect(figures.length).toBe(titles(page).length);
    for (const figure of figures) {
      expect(figure).toMatch(/role="img" aria-label="[^"]+ over (?:iteration|rank)" aria-describedby="w\d+"/);
      expect(figure).toMatch(/<figcaption id="w\d+">[^<]+ goes from /);
      expect(figure).toMatch(/<details><summary>Numbers: .*<tbody><tr>/);
    }
  });

  test('shows names as texts, whatever they are', async () => {
    const evil = '<script>alert("x")</script>\u2028\' & <img src=x onerror=alert(1)>';
    const rows = x.map(([a, b], i) => ({ [evil]: a, b, kind: labels[i] ? evil : 'plain' }));
    const result = await fit(rows, { target: 'kind', epochs: 2 });
    const page = report(result as never, { title: evil, settings: { [evil]: evil, long: 'y'.repeat(10_000) } });
    expect(page).not.toContain('<script>alert');
    expect(page).not.toContain('<img');
    expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;');
    expect(page).not.toContain('y'.repeat(201));
  });

  test('judges by what the report has: scores, each class, the confusion matrix', async () => {
    const rows = x.map(([a, b], i) => ({ a, b, kind: labels[i] ? 'yes' : 'no' }));
    const page = report((await fit(rows, { target: 'kind', epochs: 5 })) as never);
    expect(page).toContain('<h2>What is held out</h2>');
    expect(page).toContain('What is held out: true classes down, predicted ones across');
    expect(page).toContain('<dt>balancedAccuracy</dt>');
  });

  test('is refused of what no training has given', () => {
    for (const wrong of [undefined, {}, { model: 1, history: [] }, { model: {}, history: 3 }]) {
      expect(() => report(wrong as never)).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_ARGUMENT' }));
    }
    expect(() => report(ours, { titel: 'x' } as never)).toThrow(/did you mean title/);
    expect(() => report(ours, { importance: {} } as never)).toThrow(/what importance has found/);
  });

  test('is told options that have no JSON in a few words', () => {
    const itself: Record<string, unknown> = {};
    itself.itself = itself;
    const page = report(ours, { settings: { whole: 2n ** 70n, itself } });
    expect(page).toMatch(/<dt>whole<\/dt><dd>1180591620717411303424 \(bigint\)<\/dd>/);
    expect(page).toMatch(/<dt>itself<\/dt><dd>an object \(Object\)<\/dd>/);
  });
});

describe('what is told of the model', () => {
  const chartOf = (page: string, title: string) => drawn(page).find((chart) => chart.title.endsWith(title));

  test('is the ROC and the calibration of two classes, from what is held out', async () => {
    const rows = x.map(([a, b], i) => ({ a, b, kind: labels[i] ? 'yes' : 'no' }));
    const result = await fit(rows, { target: 'kind', epochs: 5 });
    const page = report(result as never);
    const roc = chartOf(page, ': ROC');
    expect([roc.x[0], roc.x.at(-1), roc.curves[0].values[0], roc.curves[0].values.at(-1)]).toEqual([0, 1, 0, 1]);
    expect(roc.across).toBe('false alarms, as a share');
    expect(chartOf(page, ': calibration').curves.map(({ name }: { name: string }) => name)).toEqual([
      'the model',
      'exact',
    ]);
    // What is drawn is no part of what is told.
    expect(Object.keys(JSON.parse(JSON.stringify(result.report.scores)))).not.toContain('drawn');
  });

  test('is the residuals of a regression, as points', async () => {
    const rows = x.map(([a = 0, b = 0]) => ({ a, b, value: a - b }));
    const page = report((await fit(rows, { target: 'value', epochs: 5 })) as never);
    const residuals = chartOf(page, ': residuals');
    expect(residuals.points).toBe(true);
    expect(residuals.x).toEqual(residuals.x.toSorted((a: number, b: number) => a - b));
    expect(page).toMatch(/\d+ points of residual from /);
  });

  test('is the singular values of each layer', () => {
    const network = { layers: [3, 2, 2], activation: 'relu', loss: 'softmax-cross-entropy' } as const;
    const weights = [Float64Array.of(3, 0, 0, 0, 0, 4), Float64Array.of(1, 1, 1, 1)];
    const biases = [2, 2].map((width) => new Float64Array(width));
    const model = new Model({ network, dtype: 'float64', weights, biases });
    const spectrum = chartOf(report({ ...bare, model }), 'Singular values of the weights');
    expect(spectrum.x).toEqual([1, 2]);
    expect(spectrum.curves[0]).toEqual({ name: 'W 1', values: [4, 3] });
    expect(spectrum.curves[1].values[0]).toBeCloseTo(2, 4);
    expect(spectrum.curves[1].values[1]).toBeCloseTo(0, 4);
  });

  test('is what each column is worth, where that was asked for', async () => {
    const rows = x.map(([a, b], i) => ({ a, b, kind: labels[i] ? 'yes' : 'no' }));
    const result = await fit(rows, { target: 'kind', epochs: 5 });
    const worth = await importance(result.model, rows);
    expect(report(result as never)).not.toContain('<h2>Columns</h2>');
    const page = report(result as never, { importance: worth });
    expect(page).toContain('By how much loss is worse where a column is shuffled');
    expect(page).toMatch(/<th scope="row">[ab]<\/th>/);
  });

  test('is the options that differ from the defaults of its solver', async () => {
    const settings = {
      solver: 'dladmm',
      rho: dladmm.options.rho.default,
      nu: 3,
      seed: 1,
      iterations: 2,
      evaluateEvery: 1,
    };
    const page = report(await trained('dladmm', settings), { settings });
    expect(page).toContain('<dt>nu</dt><dd>3</dd>');
    expect(page).toContain('<dt>iterations</dt><dd>2</dd>');
    for (const same of ['rho', 'seed', 'evaluateEvery']) expect(page).not.toContain(`<dt>${same}</dt>`);
  });
});

describe('the charts', () => {
  const long = Array.from({ length: 100_000 }, (_, i) => ({
    ...{ iteration: i + 1, seconds: 0.001, elapsed: i / 1000 },
    loss: i === 54_321 ? 77 : 1 / (i + 1),
  }));

  test('of a hundred thousand records keep the first, the last and the extremes', () => {
    const charts = chartsOf(long);
    const [loss] = charts;
    expect(JSON.stringify(charts).length).toBeLessThan(300_000);
    expect(loss?.x[0]).toBe(1);
    expect(loss?.x.at(-1)).toBe(100_000);
    const at = loss?.x.indexOf(54_322) as number;
    expect(loss?.curves[0]?.values[at]).toBe(77);
  });

  test('draw what no splitting has told of yet by its own name, and leave out what is no number', () => {
    const records = [1, 2].map((iteration) => ({
      iteration,
      loss: 1,
      seconds: 1,
      elapsed: 1,
      mine: iteration,
      text: 'a',
    }));
    expect(chartsOf(records).map(({ title }) => title)).toEqual(['Loss', 'Seconds of an iteration', 'mine']);
  });

  test('have the loss of values as it was learnt, of standardised targets, and as it is judged apart', () => {
    const judged = (scores: object) => [
      { iteration: 1, loss: 0.5, seconds: 1, elapsed: 1, validation: { loss: 1.4e6, ...scores } },
    ];
    const titles = (scores: object) => chartsOf(judged(scores)).map(({ title }) => title);
    expect(titles({})).toContain('Loss, as it was learnt');
    expect(titles({})).toContain('Loss, as it is judged');
    expect(titles({ accuracy: 0.9 })).toContain('Loss');
  });

  test('have gaps where a value is not finite, and a plain axis where one is not above zero', () => {
    const records = [3, Number.NaN, 0].map((kkt, i) => ({ iteration: i + 1, loss: 1, seconds: 1, elapsed: 1, kkt }));
    const chart = chartsOf(records).find(({ title }) => title.includes('KKT'));
    expect(chart?.curves[0]?.values).toEqual([3, null, 0]);
    expect(chart?.log).toBe(false);
  });
});

test('the seconds of the updates and the rest are those of the iterations', async () => {
  const { history } = await trained('dladmm', { iterations: 4 });
  const all = history.reduce((sum, { seconds }) => sum + seconds, 0);
  const told = timesOf(history).reduce((sum, [, seconds]) => sum + seconds, 0);
  expect(told).toBeCloseTo(all, 6);
});

describe('the certificate', () => {
  test('says that dlADMM with ρ > 2H descends, and that it did', async () => {
    const { history } = await trained('dladmm', { iterations: 20, rho: 2, nu: 1, dtype: 'float64' });
    const [descent] = promisesOf(history, 'softmax-cross-entropy');
    expect(descent?.when).toMatch(/ρ is 2: promised/);
    expect(descent?.found).toBe('19 of 19 iterations kept it');
  });

  test('promises nothing where ρ is too small, and says where the Lagrangian rose', () => {
    const records = [1, 2, 4].map((lagrangian, i) => ({
      ...{ iteration: i + 1, loss: 1, seconds: 1, elapsed: 1, lagrangian, dualIdentity: 0 },
      penalties: { rho: 1e-6 },
    }));
    const [descent] = promisesOf(records, 'softmax-cross-entropy');
    expect(descent?.when).toMatch(/not promised/);
    expect(descent?.found).toBe('0 of 2 iterations kept it; most by 0.5 of it, in iteration 2');
  });

  test('of the matrix penalties is that the kept objective never rises', async () => {
    const { history } = await trained('variable-metric-admm', { iterations: 8 });
    expect(promisesOf(history, 'softmax-cross-entropy').map(({ found }) => found)).toEqual([
      '7 of 7 iterations kept it',
      '8 of 8 iterations kept it',
    ]);
  });

  test('is silent of gradient methods', async () => {
    const { history } = await trained('adam', { epochs: 2 });
    expect(promisesOf(history, 'softmax-cross-entropy')).toEqual([]);
  });
});

test('a page of a hundred thousand records stays below 2 MB', async () => {
  const result = await trained('adam', { epochs: 1 });
  const history = Array.from({ length: 100_000 }, (_, i) => ({
    ...{ iteration: i + 1, seconds: 0.001, elapsed: i / 1000, loss: 1 / (i + 1) },
    residuals: [1, 2, 3].map((layer) => layer / (i + 1)),
  }));
  expect(report({ ...result, history } as never).length).toBeLessThan(2e6);
});
