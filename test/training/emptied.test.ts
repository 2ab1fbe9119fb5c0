/** What a regulariser that is too strong leaves is told of: in the result, in the report, and on the terminal. */
import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { fit } from '../../src/index.js';
import { report } from '../../src/report.js';
import { emptiedBy } from '../../src/training/emptied.js';
import { inFolder } from '../cli/support.js';
import { numbers } from '../reference/addon.js';

const { path, run } = inFolder();
const next = numbers(5);
const rows = Array.from({ length: 120 }, () => {
  const [a, b] = [next(), next()];
  return { a, b, kind: a + 0.2 * next() > 0 ? 'yes' : 'no' };
});

describe('a layer of which all weights are 0', () => {
  test.each([
    ['dladmm', { iterations: 30, rho: 1, nu: 1 }, 500],
    ['dladmm', { iterations: 30, rho: 1, nu: 1, step: { W: 'cholesky' } }, 500],
    ['inversion-admm', { iterations: 20 }, 5000],
    ['gd', { epochs: 60 }, 50],
    ['sgd', { epochs: 40 }, 50],
    ['adam', { epochs: 400 }, 50],
    ['nadamw', { epochs: 400 }, 50],
    ['adagrad', { epochs: 400 }, 50],
    ['minibatch-admm', { epochs: 60 }, 50],
    ['badm', { epochs: 100 }, 500],
    ['sisa', { epochs: 100 }, 500],
  ] as const)('is told of with the strength that is too great (%s)', async (solver, how, l1) => {
    const options = { solver, target: 'kind', hidden: [4], ...how, regularise: { W: { l1 } } };
    const result = (await fit(rows, options as never)) as Awaited<ReturnType<typeof fit>>;
    const text = `regularise is too strong: all weights of layer 1 (l1 ${l1}) and layer 2 (l1 ${l1}) are 0, so that the model answers the same to everybody; a tenth of that may help, or path of dladmm/choosing, which tries strengths one after the other`;
    expect(result.warnings).toEqual([text]);
    const { report: told } = result as unknown as { report: { warnings: readonly string[] } };
    expect(told.warnings).toContain(text);
    expect(String(told)).toContain(`note: ${text}`);
    expect(report(result as never)).toContain('so that the model answers the same to everybody');
    const { probabilities } = (await result.model.predict(rows as never)) as unknown as {
      probabilities: { data: ArrayLike<number> };
    };
    expect(new Set(Array.from(probabilities.data)).size).toBeLessThanOrEqual(2);
  });

  test('is not told of where weights are left, or nothing is asked for', async () => {
    const adam = { solver: 'adam', target: 'kind', hidden: [4], epochs: 5 } as const;
    expect(await fit(rows, { ...adam, regularise: { W: { l1: 1e-3 } } })).not.toHaveProperty('warnings');
    expect(await fit(rows, adam)).not.toHaveProperty('warnings');
  });
});

test('is told of on the terminal, by itself where no report is printed', async () => {
  await writeFile(path('rows.csv'), `a,b,kind\n${rows.map(({ a, b, kind }) => `${a},${b},${kind}`).join('\n')}\n`);
  const told = ['train', 'rows.csv', '--target', 'kind', '--solver', 'gd', '--epochs', '60', '--hidden', '4'];
  const asked = [...told, '--regularise', 'l1=50', '--checkpoint', 'at.checkpoint', '--save', 'rows.model'];
  expect(await run(...asked)).toMatchObject({
    code: 0,
    out: expect.stringContaining('note: regularise is too strong'),
  });
  const warned = expect.stringMatching(/^dladmm: regularise is too strong: all weights of layer 1 \(l1 50\)/m);
  const json = await run(...asked, '--json');
  expect(json).toMatchObject({ code: 0, err: warned });
  expect(JSON.parse(json.out.trim().split('\n').at(-1) ?? '').warnings).toHaveLength(1);
  const on = [
    'train',
    'rows.csv',
    '--target',
    'kind',
    '--resume',
    'at.checkpoint',
    '--epochs',
    '61',
    '--save',
    'b.model',
  ];
  expect(await run(...on)).toMatchObject({ code: 0, err: warned });
});

describe('what is left of weights', () => {
  const of = (W: object, ...weights: readonly (readonly number[])[]) =>
    emptiedBy(
      { regularise: { W } },
      { weights: weights.map((each) => Float64Array.from(each)), network: { layers: [2, 2, 1] } },
    )?.join();

  test('tells of the layers that are empty, by the terms of each', () => {
    expect(of([{ inputs: 2, l1: 0.5 }, {}], [0, 0, 0, 0], [1, 1])).toMatch(
      /all weights of layer 1 \(inputs 2, l1 0\.5\) are 0/,
    );
    expect(of([{ l1: 1 }, { neurons: 3, min: 0 }], [1, 1, 0, 1], [0, 0])).toMatch(/of layer 2 \(neurons 3\) are 0/);
  });

  test('tells of weights that lead from no input to the output, and of none that do', () => {
    expect(of({ l1: 3 }, [1, 2, 0, 0], [0, 1])).toMatch(
      /of layer 1 \(l1 3\) and layer 2 \(l1 3\) no way of weights other than 0 is left/,
    );
    expect(of({ l1: 3 }, [1, 0, 0, 0], [1, 0])).toBeUndefined();
    expect(emptiedBy({}, { weights: [new Float64Array(1)], network: { layers: [1, 1] } })).toBeUndefined();
  });
});
