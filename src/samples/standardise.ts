import { DlAdmmError } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import type { Standardisation } from '../network/standardisation.js';
import { atOnce, inParts, sparseRows } from '../tensor/csr.js';
import { eachChunk, nonFinite, type RowSource, roomFor, trusted } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';

/** The two passes over the samples that a standardisation is learnt in; each takes all rows, a part at a time. */
function learner(rows: number, columns: number, kept: readonly boolean[] = []) {
  const scaled = Int32Array.from({ length: columns }, (_, j) => j).filter((j) => !kept[j]);
  const mean = new Float64Array(columns);
  const low = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY);
  // In units of the spread, so that squares neither overflow nor vanish.
  const variance = new Float64Array(columns);
  const spread = (j: number): number => (high[j] as number) - (low[j] as number);
  return {
    /** Answers with the index of an entry that is not finite, or −1. */
    first({ data }: Matrix): number {
      for (let k = 0; k < data.length; ) {
        for (let j = 0; j < columns; j += 1, k += 1) {
          const value = data[k] as number;
          if (!Number.isFinite(value)) return k;
          mean[j] = (mean[j] as number) + value / rows;
          if (value < (low[j] as number)) low[j] = value;
          if (value > (high[j] as number)) high[j] = value;
        }
      }
      return -1;
    },
    second({ data }: Matrix): void {
      for (let at = 0; at < data.length; at += columns) {
        for (const j of scaled) {
          const off = ((data[at + j] as number) - (mean[j] as number)) / spread(j);
          variance[j] = (variance[j] as number) + off ** 2 / rows;
        }
      }
    },
    // Rounding leaves a constant column a tiny variance: its extremes say for certain that it is one.
    rule(name: string): Standardisation {
      const scale = variance.map((v, j) => (low[j] === high[j] ? 0 : kept[j] ? 1 : 1 / (Math.sqrt(v) * spread(j))));
      const bad = scale.findIndex((s) => !Number.isFinite(s));
      if (bad >= 0) {
        const text = `Expected values that can be scaled to deviation 1 in column ${bad} of ${name} but they lie from ${low[bad]} to ${high[bad]}`;
        throw new DlAdmmError('ERR_DLADMM_RANGE', text);
      }
      return { mean: mean.map((value, j) => (kept[j] && scale[j] !== 0 ? 0 : value)), scale };
    },
  };
}

/**
 * The mean and the scale of each column of `x`, samples x features, in float64.
 *
 * @throws DlAdmmError ERR_DLADMM_NON_FINITE with row and column, ERR_DLADMM_RANGE
 */
export function learnStandardisation(x: Matrix): Standardisation {
  const { rows, columns } = x;
  const learn = learner(rows, columns);
  const bad = learn.first(x);
  if (bad >= 0) {
    const text = `Expected finite numbers for x but received ${x.data[bad]} in row ${Math.floor(bad / columns)}, column ${bad % columns}`;
    throw new DlAdmmError('ERR_DLADMM_NON_FINITE', text);
  }
  learn.second(x);
  return learn.rule('x');
}

/**
 * As {@link learnStandardisation}, a chunk at a time; the event loop runs in between. Features that `kept` names by true stay as
 * they are, or 0 where they never vary.
 *
 * @throws DlAdmmError ERR_DLADMM_NON_FINITE with row and column, ERR_DLADMM_RANGE
 */
export async function learnFrom(source: RowSource, kept?: readonly boolean[]): Promise<Standardisation> {
  const { rows, columns, name } = source;
  const learn = learner(rows, columns, kept);
  for (const pass of ['first', 'second'] as const) {
    await eachChunk(source, (data, first, count) => {
      const bad = learn[pass]({ data, rows: count, columns }) ?? -1;
      if (bad >= 0) throw nonFinite(source, first, bad, data[bad]);
    });
  }
  return learn.rule(name);
}

/**
 * As {@link learnFrom}, of target values: those that never vary keep their unit, as answers are divided by the scale.
 *
 * @throws DlAdmmError as {@link learnFrom}
 */
export async function learnTargets(source: RowSource): Promise<Standardisation> {
  const { mean, scale } = await learnFrom(source);
  return { mean, scale: scale.map((s) => (s === 0 ? 1 : s)) };
}

/** `source` with every feature standardised, in type `dtype`; a chunk is made when it is asked for, sparse rows at once. */
export const standardised = (source: RowSource, rule: Standardisation | undefined, dtype: Dtype): RowSource =>
  atOnce(standardisedInSteps(source, rule, dtype));

/** The same, in steps. */
export function* standardisedInSteps(
  source: RowSource,
  rule: Standardisation | undefined,
  dtype: Dtype,
): Generator<void, RowSource, undefined> {
  if (rule === undefined) return source;
  const { name, rows, columns, sparse } = source;
  if (sparse) {
    const { indices, values } = sparse;
    const { mean, scale } = rule;
    // What is left out stays 0: hashed.ts sees to it that its mean is.
    const found = zeros(dtype, values.length);
    yield* inParts(found.length, (first, end) => {
      for (let k = first; k < end; k += 1) {
        const j = indices[k] as number;
        found[k] = ((values[k] as number) - (mean[j] as number)) * (scale[j] as number);
      }
    });
    return sparseRows({ ...sparse, values: found }, name);
  }
  let raw: Numbers | undefined;
  return trusted({
    name,
    rows,
    columns,
    chunk(first, count, spent) {
      raw = source.chunk(first, count, raw);
      return standardise({ data: raw, rows: count, columns }, rule, dtype, spent).data;
    },
    ...(!source.each && { before: (row: number, column: number) => source.chunk(row, 1)[column] }),
    ...(source.each && {
      each: (take: Parameters<typeof eachChunk>[1]) =>
        eachChunk(source, (data, first, count) =>
          take(standardise({ data, rows: count, columns }, rule, dtype).data, first, count),
        ),
    }),
    ...(source.release && { release: (row: number) => source.release?.(row) }),
  });
}

/** `x` with every feature standardised, as a copy of type `dtype`. */
export function standardise(x: Matrix, { mean, scale }: Standardisation, dtype: Dtype, spent?: Numbers): Matrix {
  const { rows, columns, data: from } = x;
  const data = roomFor(dtype, rows * columns, spent);
  for (let k = 0; k < data.length; ) {
    for (let j = 0; j < columns; j += 1, k += 1) {
      data[k] = ((from[k] as number) - (mean[j] as number)) * (scale[j] as number);
    }
  }
  return { data, rows, columns };
}

/** Whether every value lies in [0, 1], as pixels do that have been scaled: such features are comparable as they are. */
export const liesInUnitInterval = ({ data }: Matrix): boolean =>
  data.every((value: number) => value >= 0 && value <= 1);
