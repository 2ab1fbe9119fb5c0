import type { Training, TrainingData } from 'dladmm';
import type { Block, Update } from 'dladmm/solvers';
import { type GoldenCase, type GoldenSplit, type Matrix64, transposed } from './case.js';
import type { Replay } from './compare.js';

/** One iteration's recorded quantities, by name. */
export type Records = Readonly<Record<string, number | readonly number[]>>;

/** What a single update left behind. */
export type Substep = NonNullable<Replay['substeps']>[number];

export const labelled = ({ x, labels }: GoldenSplit) => ({ x, labels: labels ?? new Int32Array() });

export function dataOf({ train: training, test }: GoldenCase): TrainingData {
  return { ...labelled(training), ...(test && { test: labelled(test) }) };
}

/** Every variable of the layered splitting, by layer. */
export interface AllBlocks {
  readonly W: readonly Matrix64[];
  readonly b: readonly Float64Array[];
  readonly z: readonly Matrix64[];
  readonly a: readonly Matrix64[];
  readonly u: Matrix64;
}

export async function readAll(from: Pick<Training, 'read'>, { dims, train: { x } }: GoldenCase): Promise<AllBlocks> {
  const L = dims.length - 1;
  const layers = Array.from({ length: L }, (_, i) => i + 1);
  const read = async (block: Block, layer: number): Promise<Matrix64> => {
    const data = Float64Array.from((await from.read(block, layer)).data);
    const width = dims[layer] ?? 0;
    if (block === 'W') return { data, rows: width, columns: dims[layer - 1] ?? 0 };
    return block === 'b' ? { data, rows: width, columns: 1 } : { data, rows: x.rows, columns: width };
  };
  const all = async (block: Block, list: readonly number[]): Promise<Matrix64[]> => {
    const matrices: Matrix64[] = [];
    for (const layer of list) matrices.push(await read(block, layer));
    return matrices;
  };
  return {
    W: await all('W', layers),
    b: (await all('b', layers)).map((matrix) => matrix.data),
    z: await all('z', layers),
    a: await all('a', layers.slice(0, -1)),
    u: await read('u', L),
  };
}

export const frobenius = (data: Float64Array): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));

export const norms = (list: readonly Matrix64[]): number[] => list.map(({ data }) => frobenius(data));

/** Records of iterations as lists by name. */
export function byName(records: readonly Records[]): Record<string, readonly (number | readonly number[])[]> {
  const names = Object.keys(records[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, records.map((record) => record[name] ?? Number.NaN)]));
}

/** How many iterations the case records update by update: the first ones. */
export const substepIterations = ({ substeps }: GoldenCase): number =>
  Math.max(-1, ...substeps.map(({ iter }) => iter)) + 1;

/** The variable of an update as the golden files lay it out: one unit a row. */
export function asRecorded(blocks: AllBlocks[Block], { block, layer }: Update): Matrix64 {
  const one = Array.isArray(blocks) ? blocks[layer - 1] : blocks;
  if (one instanceof Float64Array) return { data: one, rows: one.length, columns: 1 };
  return block === 'W' ? one : transposed(one);
}
