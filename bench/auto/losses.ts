/** What the step of each loss is chosen by: tables, and 20,000 drawn rows of 20 features of which a sum, a ridge and a product say the answer. */
import type { Matrix } from 'dladmm';
import { loadDataset } from 'dladmm/data';
import { seededRandom } from '../harness/random.js';
import { inFolder } from '../harness/samples.js';

type Drawn = (bend: (k: number) => number, random: ReturnType<typeof seededRandom>) => readonly number[];

const [COLUMNS, TRAIN, TEST] = [20, 20_000, 10_000];

function drawn(draw: Drawn) {
  const side = (rows: number, seed: number) => {
    const random = seededRandom(seed);
    const x = { data: Float32Array.from({ length: rows * COLUMNS }, random.normal), rows, columns: COLUMNS };
    const answers = Array.from({ length: rows }, (_, i) => {
      const row = x.data.subarray(i * COLUMNS);
      const at = (j: number): number => row[j % COLUMNS] ?? 0;
      const line = (k: number): number =>
        Array.from({ length: COLUMNS }, (_, j) => at(j) * Math.cos(j * k)).reduce((a, b) => a + b);
      return draw(
        (k) => line(k) / 5 + Math.max(0, at(k) + at(k + 1)) - Math.abs(at(k + 2)) + at(k + 3) * at(k + 4),
        random,
      );
    });
    return { x, y: { data: Float64Array.from(answers.flat()), rows, columns: answers[0]?.length ?? 0 } };
  };
  return async () => ({ train: side(TRAIN, 21), test: side(TEST, 22) });
}

/** Student's t with two degrees of freedom about what the features say. */
const heavy = drawn((bend, { uniform, normal }) => [bend(1) + normal() / Math.sqrt(-Math.log(1 - uniform()))]);

/** Knuth's product of uniform numbers. */
const counts = drawn((bend, { uniform }) => {
  const limit = Math.exp(-Math.exp(Math.min(3, bend(1) / 2)));
  let count = 0;
  for (let product = uniform(); product > limit; product *= uniform()) count += 1;
  return [count];
});

const three = drawn((bend, { normal }) => [1, 6, 11].map((k) => Number(bend(k) + normal() / 2 > 0)));

/** Whether a digit is odd, above four, prime, has a loop. */
const DIGITS = [
  [1, 3, 5, 7, 9],
  [5, 6, 7, 8, 9],
  [2, 3, 5, 7],
  [0, 4, 6, 8, 9],
];
async function four(dataDir: string) {
  const set = await loadDataset('mnist', inFolder(`${dataDir}/mnist`));
  const side = ({ x, labels }: { readonly x: Matrix; readonly labels: Int32Array }) => {
    const data = Float64Array.from([...labels].flatMap((digit) => DIGITS.map((some) => Number(some.includes(digit)))));
    return { x, y: { data, rows: x.rows, columns: DIGITS.length } };
  };
  return { train: side(set.train as never), test: side(set.test as never) };
}

/** By loss and data: the options of the loss, and a table by its name or samples. */
export const LOSSES = {
  'squared-error houses': [{ loss: 'squared-error' }, 'california-housing'],
  'squared-error drawn': [{ loss: 'squared-error' }, heavy],
  'huber houses': [{ loss: 'huber' }, 'california-housing'],
  'huber drawn': [{ loss: 'huber' }, heavy],
  'absolute houses': [{ loss: 'absolute' }, 'california-housing'],
  'absolute drawn': [{ loss: 'absolute' }, heavy],
  'quantile houses': [{ loss: 'quantile', quantile: 0.9 }, 'california-housing'],
  'quantile drawn': [{ loss: 'quantile', quantile: 0.9 }, heavy],
  'poisson drawn': [{ loss: 'poisson' }, counts],
  'sigmoid-cross-entropy mnist': [{ loss: 'sigmoid-cross-entropy' }, four],
  'sigmoid-cross-entropy drawn': [{ loss: 'sigmoid-cross-entropy' }, three],
  'hinge adult': [{ loss: 'hinge' }, 'adult'],
  'hinge digits': [{ loss: 'hinge' }, 'mnist'],
} as const satisfies Readonly<Record<string, readonly [object, string | ((dataDir: string) => Promise<object>)]>>;
