/** What comes into every layer, as whole numbers. */
import type { Numbers } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import { Model } from '../model/model.js';
import { type InputGrid, MOST_INPUTS, type Quantisation } from '../model/quantisation.js';
import type { ArrivingSamples } from '../samples/arriving.js';
import { standardisedInSteps } from '../samples/standardise.js';
import { inSteps } from '../tensor/csr.js';
import { breathe, type RowSource } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';

/** Rows that are looked at, numbers of a layer in all of them, and of these those that the search looks at. */
const [MOST_ROWS, MOST_NUMBERS, MOST_TRIED] = [2 ** 11, 2 ** 21, 2 ** 17];
/** How much of the range the codes are to cover: rare large values may cost less than steps that are wider for all. */
const SHARES = Array.from({ length: 16 }, (_, i) => 1 - i / 20);
const CODES = 127;

/** The grid of 0 … 127 of least squared error for some values; 0 is one of its places. */
export function inputGrid(values: ArrayLike<number>): InputGrid {
  let [low, high] = [0, 0];
  for (let i = 0; i < values.length; i += 1) {
    low = Math.min(low, values[i] as number);
    high = Math.max(high, values[i] as number);
  }
  if (low === high) return { scale: 1, zero: 0 };
  const step = Math.ceil(values.length / MOST_TRIED);
  const tried = SHARES.map((share) => {
    const scale = Math.max(2 ** -126, Math.fround((share * (high - low)) / CODES));
    const zero = Math.min(CODES, Math.round((share * -low) / scale));
    let error = 0;
    for (let i = 0; i < values.length; i += step) {
      const value = values[i] as number;
      const code = Math.min(CODES, Math.max(0, Math.round(value / scale) + zero));
      error += (value - scale * (code - zero)) ** 2;
    }
    return { scale, zero, error };
  });
  const { scale, zero } = tried.reduce((least, each) => (each.error < least.error ? each : least));
  return { scale, zero };
}

/** Some rows, evenly chosen; of rows that are not in memory the first. */
async function someRows(source: RowSource, most: number): Promise<Matrix> {
  const { columns } = source;
  const rows = Math.min(source.rows, most);
  const data = zeros('float64', rows * columns);
  if (source.each) {
    await source.each((chunk, first, count) => {
      if (first < rows) data.set(chunk.subarray(0, Math.min(count, rows - first) * columns), first * columns);
    });
  } else {
    for (let i = 0; i < rows; i += 1) data.set(source.chunk(Math.floor((i * source.rows) / rows), 1), i * columns);
  }
  return { data, rows, columns };
}

/** The grids of what comes into each layer of a model, by some samples; none for layers that are too wide for whole numbers. */
export async function calibrated(model: Model, samples: ArrivingSamples): Promise<Quantisation['activations']> {
  const { network, dtype, weights, biases, standardisation } = model;
  const { layers, activation } = network;
  const widest = Math.max(...layers.slice(0, -1));
  if (widest > MOST_INPUTS) return undefined;
  const { x } = await model.arrived(samples);
  const source = await inSteps(standardisedInSteps(x, standardisation, dtype));
  let h = await someRows(source, Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_NUMBERS / widest))));
  const grids = [inputGrid(h.data)];
  const says = async (widths: readonly number[], W: readonly Numbers[], b: readonly Numbers[], of: Matrix) => {
    using part = new Model({
      network: { layers: widths, activation, loss: 'squared-error' },
      dtype,
      weights: W,
      biases: b,
    });
    return (await part.predict(of)).outputs.data;
  };
  const [one, none] = [zeros(dtype, 1).fill(1), zeros(dtype, 1)];
  for (const [l, outputs] of layers.slice(1, -1).entries()) {
    const z = await says(layers.slice(l, l + 2), [weights[l] as Numbers], [biases[l] as Numbers], h);
    // f of each number, by a network that does nothing else.
    const data = await says([1, 1, 1], [one, one], [none, none], { data: z, rows: z.length, columns: 1 });
    h = { data, rows: h.rows, columns: outputs };
    grids.push(inputGrid(data));
    await breathe();
  }
  return grids;
}
