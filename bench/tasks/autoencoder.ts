import { DlAdmmError, type Matrix } from 'dladmm';
import { loadDataset } from 'dladmm/data';
import { inFolder } from '../harness/samples.js';
import { firstOf, type Task, type TaskSamples } from './task.js';

const HIDDEN = [256, 32, 256];
/** Test images that the picture shows. */
const SHOWN = 10;

/** Images through 32 numbers and back: each is its own target. Pixels in [0, 1]. */
export async function autoencoder(dataset: string, dataDir: string | undefined): Promise<Task> {
  const set = await loadDataset(dataset, inFolder(dataDir));
  const { columns } = set.train.x;
  if (!Number.isInteger(Math.sqrt(columns))) {
    throw new DlAdmmError('ERR_DLADMM_DATASET', `Expected square images for --dataset but ${dataset} has none`);
  }
  const scale = 1 / largest(set.train.x);
  const test = itself(set.test.x, scale);
  return {
    name: 'autoencoder',
    title: 'image generation',
    data: set.name,
    layers: [columns, ...HIDDEN, columns],
    loss: 'squared-error',
    // Outputs of He's start are so far from the pixels that the first steps of every method kill most hidden units.
    initialisation: 'glorot',
    train: itself(set.train.x, scale),
    test,
    unit: '½‖z − y‖² an image',
    unitsPerLoss: 1,
    show: async (model) => ({ images: (await model.predict(shown(test))).outputs.data }),
  };
}

/** The test images that are shown. */
export const shown = (test: TaskSamples): Matrix => firstOf(test, SHOWN).x;

function largest({ data }: Matrix): number {
  let most = 0;
  for (const pixel of data) most = Math.max(most, pixel);
  return most;
}

function itself({ data, rows, columns }: Matrix, scale: number): TaskSamples {
  const x = { data: scale === 1 ? data : data.map((pixel: number) => pixel * scale), rows, columns };
  return { x, y: x };
}
