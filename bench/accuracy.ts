/**
 * The accuracy that the defaults reach, at the paper's size: 784-1000-1000-10, at most 200 full-batch iterations, on MNIST
 * (the first 55,000 images) and Fashion-MNIST (60,000).
 *
 *     npm run --silent bench:accuracy -- --data mnist|fashion-mnist [--layers …] [--iterations 200] [--seed 1]
 *                                        [--data-dir FOLDER] [--options JSON] [--out FILE] [--json]
 *
 * Writes the curve as JSON after every iteration, so that an interrupted run leaves what it had; bench:figures draws it.
 */
import { availableParallelism } from 'node:os';
import { type DladmmOptions, type IterationRecord, train } from 'dladmm';
import { count, file, layers as layersOption, program, text as textOption } from './harness/program.js';
import { keep, type Machine, machine } from './harness/results.js';
import { classesOf, follow, trainingSamples } from './harness/samples.js';

const OPTIONS = {
  data: textOption('fashion-mnist'),
  layers: layersOption('784-1000-1000-10'),
  iterations: count(200),
  seed: count(1, 0),
  dataDir: file,
  options: textOption('{}'),
  out: file,
};

/** One iteration. Norms are squared and summed over the samples. */
interface CurvePoint {
  readonly iteration: number;
  readonly lagrangian: number;
  readonly residuals: readonly number[];
  readonly seconds: number;
  readonly testAccuracy: number;
}

/** A whole run, as `bench/results` keeps it. */
export interface Curve extends Machine {
  readonly data: string;
  readonly layers: string;
  readonly samples: number;
  readonly seed: number;
  /** What differed from the defaults. */
  readonly options: Partial<DladmmOptions>;
  readonly best: Pick<CurvePoint, 'iteration' | 'testAccuracy'>;
  readonly last: Pick<CurvePoint, 'iteration' | 'testAccuracy'>;
  readonly points: readonly CurvePoint[];
}

await program(OPTIONS, async ({ data, layers, iterations, seed, dataDir, options: own, out, json }) => {
  const set = await classesOf(data, dataDir);
  const options = JSON.parse(own) as Partial<DladmmOptions>;
  const samples = trainingSamples(set);
  const training = train({ ...samples, test: set.test }, { layers, iterations, seed, ...options });
  const points: CurvePoint[] = [];
  const curve = (): Curve => {
    const ends = ({ iteration, testAccuracy }: CurvePoint) => ({ iteration, testAccuracy });
    const best = points.reduce((top, point) => (point.testAccuracy > top.testAccuracy ? point : top));
    return {
      data: set.name,
      layers: layers.join('-'),
      samples: samples.x.rows,
      seed,
      options,
      ...machine(options.threads ?? availableParallelism()),
      best: ends(best),
      last: ends(points.at(-1) ?? best),
      points,
    };
  };
  await follow(training, async (record) => {
    points.push(pointOf(record));
    if (!json) console.log(line(record));
    if (out !== undefined) await keep(out, curve());
  });
  const { best, last } = curve();
  return {
    result: { ...curve(), points: undefined },
    text: `best test accuracy ${best.testAccuracy} at iteration ${best.iteration}, last ${last.testAccuracy}`,
  };
});

function pointOf({ iteration, lagrangian, residuals, seconds, test }: IterationRecord): CurvePoint {
  return { iteration, lagrangian, residuals, seconds, testAccuracy: test?.accuracy ?? Number.NaN };
}

function line({ iteration, lagrangian, residuals, test, seconds }: IterationRecord): string {
  const residual = Math.sqrt(residuals.at(-1) ?? 0);
  return `${iteration}  L ${lagrangian.toPrecision(5)}  |r_L| ${residual.toPrecision(4)}  test ${test?.accuracy}  ${seconds.toFixed(2)} s`;
}
