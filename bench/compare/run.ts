import { train } from 'dladmm';
import type { ClassificationDataset } from 'dladmm/data';
import { availableThreads } from '../harness/internals.js';
import { say } from '../harness/program.js';
import { follow, trainingSamples } from '../harness/samples.js';
import { studyIn } from '../harness/study.js';
import { type CompareCurve, type ComparePoint, type Comparison, pointOf } from './curves.js';
import { type Method, optionsOf, type SharedOptions } from './methods.js';

/**
 * A comparison in a file: methods trained from the same start on the same samples, one after the other.
 *
 * @param samples of the training set; by default as many as the paper takes
 */
export async function comparisonIn(
  file: string | undefined,
  set: ClassificationDataset,
  samples: number | undefined,
  shared: SharedOptions,
) {
  const data = { ...trainingSamples(set, samples), test: set.test };
  const { layers, seed = 1, dtype = 'float32', threads = availableThreads() } = shared;
  const head = { data: set.name, layers: layers.join('-'), samples: data.x.rows, seed, dtype };
  const study = await studyIn<typeof head, CompareCurve>(file, head, threads, true);
  return {
    now: (): Comparison => study.now(),
    /** The curve of one method; the file has it as it grows, and once more when it has ended. */
    async run({ name: method, options }: Method, iterations: number): Promise<void> {
      const key = { method, options, iterations };
      const points: ComparePoint[] = [];
      const training = train(data, optionsOf(options, shared, iterations));
      const { status, model } = await follow(training, async (record, seconds) => {
        if (record.test === undefined) return;
        const point = pointOf(record, seconds, data.x.rows);
        points.push(point);
        say(`${method} ${point.iteration}  ${point.testAccuracy}  ${seconds.toFixed(1)} s`);
        await study.put(key, { ...key, status: 'running', points });
      });
      model.close();
      await study.put(key, { ...key, status: status.kind, points });
    },
  };
}
