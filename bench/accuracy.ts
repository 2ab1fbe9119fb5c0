/**
 * The accuracy that the defaults reach, at the paper's size: 784-1000-1000-10, at most 200 full-batch iterations, on MNIST
 * (the first 55,000 images) and Fashion-MNIST (60,000).
 *
 *     npm run --silent bench:accuracy -- --data mnist|fashion-mnist [--layers …] [--iterations 200] [--seed 1]
 *                                        [--data-dir FOLDER] [--options JSON] [--out FILE] [--json]
 *
 * Writes the curve as JSON after every iteration, so that an interrupted run leaves what it had.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type ClassificationDataset, type DladmmOptions, type IterationRecord, loadDataset, train } from 'dladmm';
import { native } from '#native';
import type { Curve, CurvePoint } from './accuracy/curve.js';
import { trainingSamples } from './samples.js';

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: 'fashion-mnist' },
    layers: { type: 'string', default: '784-1000-1000-10' },
    iterations: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    'data-dir': { type: 'string' },
    options: { type: 'string', default: '{}' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const dataDir = values['data-dir'];
const set = await loadDataset(values.data, dataDir === undefined ? {} : { dataDir });
if (set.task !== 'classification') throw new Error(`${set.name} is not a classification set`);
const options = JSON.parse(values.options) as Partial<DladmmOptions>;
const training = train(
  { ...trainingSamples(set), test: set.test },
  {
    layers: values.layers.split('-').map(Number),
    iterations: Number(values.iterations),
    seed: Number(values.seed),
    ...options,
  },
);
const points: CurvePoint[] = [];
for await (const record of training) {
  points.push(pointOf(record));
  if (!values.json) console.log(line(record));
  if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(curve(), undefined, 1)}\n`);
}
if (values.json) console.log(JSON.stringify({ ...curve(), points: undefined }));
else
  console.log(
    `best test accuracy ${curve().best.testAccuracy} at iteration ${curve().best.iteration}, last ${curve().last.testAccuracy}`,
  );

function pointOf({
  iteration,
  lagrangian,
  loss,
  residuals,
  activationResiduals,
  penalties,
  seconds,
  test,
}: IterationRecord): CurvePoint {
  return {
    iteration,
    lagrangian,
    loss,
    residuals,
    activationResiduals,
    nu: penalties.nu,
    rho: penalties.rho,
    seconds,
    testAccuracy: test?.accuracy ?? Number.NaN,
    testLoss: test?.loss ?? Number.NaN,
  };
}

function line({ iteration, lagrangian, residuals, test, seconds }: IterationRecord): string {
  const residual = Math.sqrt(residuals.at(-1) ?? 0);
  return `${iteration}  L ${lagrangian.toPrecision(5)}  |r_L| ${residual.toPrecision(4)}  test ${test?.accuracy}  ${seconds.toFixed(2)} s`;
}

function curve(): Curve {
  const best = points.reduce((top, point) => (point.testAccuracy > top.testAccuracy ? point : top));
  const last = points.at(-1) ?? best;
  const ends = ({ iteration, testAccuracy }: CurvePoint) => ({ iteration, testAccuracy });
  return {
    data: set.name,
    layers: values.layers,
    samples: trainingSamples(set as ClassificationDataset).x.rows,
    seed: Number(values.seed),
    options,
    openblasCore: native.info().core,
    best: ends(best),
    last: ends(last),
    points,
  };
}
