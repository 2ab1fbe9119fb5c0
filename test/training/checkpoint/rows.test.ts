import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/random.js';
import { fit, type Model, readCheckpoint, resume } from '../../../src/index.js';
import { scratch } from './support.js';

const file = scratch();
const { normal } = seededRandom(11);
const rows = Array.from({ length: 300 }, (_, i) => {
  const [a, b] = [normal(), normal()];
  return { a, b, c: ['x', 'y', 'z'][i % 3] as string, kind: a + 0.4 * b > 0 ? 'up' : 'down' };
});
const plain = rows.map(({ a, b }) => [a, b]);
const labels = rows.map(({ kind }) => kind);
const options = { solver: 'adam', loss: 'hinge', epochs: 4, hidden: [6], threads: 1 } as const;

const parameters = ({ weights, biases }: Model): readonly (readonly number[])[] =>
  [...weights, ...biases].map((each) => [...each]);

test.each([
  ['rows', rows, { target: 'kind', validationShare: 0.3 }],
  ['rows that are held out where nobody says so', rows, { target: 'kind' }],
  ['samples', { x: plain, labels }, { validationShare: 0.25 }],
  ['samples that are held out where nobody says so', { x: plain, labels }, {}],
  [
    'samples with a set of their own',
    { x: plain, labels, validation: { x: plain.slice(0, 50), labels: labels.slice(0, 50) } },
    {},
  ],
  ['samples whose labels are a column', { x: rows, labels: 'kind' }, {}],
] as const)('a training on %s goes on to a model that is calibrated by the same', async (_, data, own) => {
  const path = file('calibrated.checkpoint');
  const told = { ...options, ...own, calibrate: true };
  const { model: whole } = (await fit(data as never, told as never)) as unknown as { readonly model: Model };
  await fit(data as never, { ...told, epochs: 2, checkpoint: { path } } as never);
  const { model } = await resume(path, data as never, { epochs: 4 });
  expect(parameters(model)).toEqual(parameters(whole));
  expect(model.calibration).toEqual(whole.calibration);
  expect(model.calibration).toBeDefined();
});

test('what was held out by a share is held out again without saying it', async () => {
  const path = file('share.checkpoint');
  const told = { ...options, target: 'kind', validationShare: 0.3 } as const;
  await fit(rows, { ...told, checkpoint: { path } });
  expect((await readCheckpoint(path)).samples).toBe(210);
  expect((await resume(path, rows, { epochs: 5 })).iterations).toBe(5);
  expect((await resume(path, rows, { epochs: 5, validationShare: 0.3, target: 'kind', hidden: [6] })).iterations).toBe(
    5,
  );
});

test.each([
  [{ target: 'c' }, '"kind"'],
  [{ target: 3 }, '"kind"'],
  [{ columns: ['a'] }, 'nothing (its default)'],
  [{ ignore: ['b'] }, '["c"]'],
  [{ bins: 4 }, '0'],
  [{ missing: 'error' }, '"impute"'],
  [{ categories: 3 }, '100'],
  [{ hash: 64 }, 'nothing (its default)'],
  [{ task: 'regression' }, 'nothing (its default)'],
  [{ validationShare: 0.1 }, '0.3'],
  [{ hidden: [7] }, '[6]'],
  [{ calibrate: true }, 'false'],
] as const)('%j is not what the training had been told', async (other, was) => {
  const path = file('told.checkpoint');
  const told = { ...options, target: 'kind', ignore: ['c'], bins: 0, validationShare: 0.3 } as const;
  await fit(rows, { ...told, epochs: 1, checkpoint: { path } });
  const [name] = Object.keys(other);
  await expect(resume(path, rows, other as never)).rejects.toMatchObject({
    code: 'ERR_DLADMM_CHECKPOINT',
    message: expect.stringContaining(`Expected ${was} for options.${name}`),
  });
  // All of them again, as they were.
  expect(
    (await resume(path, rows, { ...told, missing: 'impute', calibrate: false, epochs: 2 } as never)).iterations,
  ).toBe(2);
});
