/** What comes into every layer, as whole numbers. */
import type { Numbers } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import { Model } from '../model/model.js';
import { type InputGrid, MOST_INPUTS } from '../model/quantisation.js';
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
    const zero = Math.min(CODES, Math.round((share * (0 - low)) / scale));
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

/** The nearest places of a grid. */
function rounded({ data, rows, columns }: Matrix, { scale, zero }: InputGrid): Matrix {
  const places = zeros('float64', data.length);
  for (let i = 0; i < places.length; i += 1)
    places[i] = scale * (Math.min(CODES, Math.max(0, Math.round((data[i] as number) / scale) + zero)) - zero);
  return { data: places, rows, columns };
}

/** The mean of each column of x − y. */
function meanOff({ data: x, rows, columns }: Matrix, { data: y }: Matrix): Float64Array {
  const off = new Float64Array(columns);
  for (let i = 0; i < x.length; i += 1)
    off[i % columns] = (off[i % columns] as number) + ((x[i] as number) - (y[i] as number)) / rows;
  return off;
}

/** What rounds what comes into each layer, and the biases that go with it. */
export interface Calibrated {
  readonly activations: readonly InputGrid[];
  readonly biases: readonly Numbers[];
}

/**
 * The grids of what comes into each layer of a model, by some samples; none for layers that are too wide for whole numbers. What rounding
 * moves the outputs of a layer by on average, its bias takes back: b_l ← b_l + E[z_l − ẑ_l], ẑ_l of the inputs rounded in all layers so far
 * (M. Nagel et al., Data-Free Quantization through Weight Equalization and Bias Correction, ICCV 2019, section 4.2).
 */
export async function calibrated(model: Model, samples: ArrivingSamples): Promise<Calibrated | undefined> {
  const { network, dtype, weights, biases, standardisation } = model;
  const { layers, activation } = network;
  const widest = Math.max(...layers.slice(0, -1));
  if (widest > MOST_INPUTS) return undefined;
  const { x } = await model.arrived(samples);
  const source = await inSteps(standardisedInSteps(x, standardisation, dtype));
  const says = async (widths: readonly number[], W: Numbers, b: Numbers, of: Matrix): Promise<Matrix> => {
    const [depth, network] = [widths.length - 1, { layers: widths, activation, loss: 'squared-error' } as const];
    using part = new Model({ network, dtype, weights: Array(depth).fill(W), biases: Array(depth).fill(b) });
    const { data } = (await part.predict(of)).outputs;
    return { data, rows: of.rows, columns: data.length / of.rows };
  };
  const [one, none] = [zeros(dtype, 1).fill(1), zeros(dtype, 1)];
  // f of each number, by a network that does nothing else.
  const activated = async ({ data, rows, columns }: Matrix): Promise<Matrix> => {
    const each = await says([1, 1, 1], one, none, { data, rows: data.length, columns: 1 });
    return { data: each.data, rows, columns };
  };
  const found: { readonly grid: InputGrid; readonly bias: Numbers }[] = [];
  let h = await someRows(source, Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_NUMBERS / widest))));
  let near = h;
  for (const [l, W] of weights.entries()) {
    const [grid, b, widths] = [inputGrid(h.data), biases[l] as Numbers, layers.slice(l, l + 2)];
    const [z, places] = [await says(widths, W, b, h), rounded(near, grid)];
    const off = meanOff(z, await says(widths, W, b, places));
    const bias = zeros(dtype, b.length);
    for (let j = 0; j < bias.length; j += 1) bias[j] = (b[j] as number) + (off[j] as number);
    found.push({ grid, bias });
    if (l === weights.length - 1) break;
    [h, near] = [await activated(z), await activated(await says(widths, W, bias, places))];
    await breathe();
  }
  return { activations: found.map(({ grid }) => grid), biases: found.map(({ bias }) => bias) };
}
