/**
 * The accuracy that the defaults reach, at the paper's size: 784-1000-1000-10, at most 200 full-batch iterations, on MNIST
 * (the first 55,000 images) and Fashion-MNIST (60,000).
 *
 * Writes the curve as JSON after every iteration, so that an interrupted run leaves what it had; bench:figures draws it.
 */
import { bestOf, type ComparePoint } from './compare/curves.js';
import { comparisonIn } from './compare/run.js';
import { count, file, layers, program, text } from './harness/program.js';
import { classesOf } from './harness/samples.js';

const OPTIONS = {
  data: text('fashion-mnist'),
  layers: layers('784-1000-1000-10'),
  iterations: count(200),
  seed: count(1, 0),
  dataDir: file,
  options: text('{}'),
  out: file,
};

await program(OPTIONS, async ({ data, layers, iterations, seed, dataDir, options: own, out }) => {
  const options = JSON.parse(own) as object;
  const comparison = await comparisonIn(out, await classesOf(data, dataDir), undefined, { layers, seed, ...options });
  const { points } = await comparison.run({ name: 'dladmm', options }, iterations);
  const end = (point?: ComparePoint) => ({ iteration: point?.iteration, testAccuracy: point?.testAccuracy });
  const [best, last] = [end(bestOf(points)), end(points.at(-1))];
  const { runs: _, ...head } = comparison.now();
  return {
    result: { ...head, options, best, last },
    text: `best test accuracy ${best.testAccuracy} at iteration ${best.iteration}, last ${last.testAccuracy}`,
  };
});
