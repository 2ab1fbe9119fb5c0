import { describe, expect, it } from 'vitest';
import { learnBins, mostBins, putBins } from '../../src/samples/bins.js';
import { areShares, checkColumns, columnsText, inputsOf } from '../../src/samples/columns.js';
import { encoded } from '../../src/samples/encoded.js';
import { encoderOf } from '../../src/samples/encoder.js';
import { frameOf } from '../../src/samples/framing.js';
import { learnColumns } from '../../src/samples/learning.js';

const numbers = (length: number, of: (i: number) => number): Float64Array =>
  Float64Array.from({ length }, (_, i) => of(i));
const put = (value: number, edges: readonly number[]): readonly number[] => {
  const out = Array.from({ length: edges.length - 1 }, () => 0);
  putBins(value, edges, out, 0);
  return out;
};

describe('the edges of bins', () => {
  it('are quantiles', () => {
    expect(
      learnBins(
        numbers(101, (i) => (i * 37) % 101),
        4,
      ),
    ).toEqual([0, 25, 50, 75, 100]);
  });

  it('spend one bin on a value that is frequent, and the others on the rest', () => {
    const edges = learnBins(
      numbers(1000, (i) => (i < 900 ? 0 : i)),
      5,
    );
    expect(edges).toEqual([0, 900, 925, 950, 975, 999]);
  });

  it('are as many as values differ, and none of two', () => {
    expect(
      learnBins(
        numbers(100, (i) => i % 3),
        48,
      ),
    ).toEqual([0, 1, 2]);
    expect(
      learnBins(
        numbers(100, (i) => i % 2),
        48,
      ),
    ).toEqual([]);
  });

  it('do not mind what is missing', () => {
    expect(
      learnBins(
        numbers(100, (i) => (i % 2 ? Number.NaN : i)),
        2,
      ),
    ).toEqual([0, 50, 98]);
    expect(
      learnBins(
        numbers(3, () => Number.NaN),
        2,
      ),
    ).toEqual([]);
  });

  it.each([7, 48, 300])('rise, however %i bins fall', (most) => {
    const edges = learnBins(
      numbers(5000, (i) => Math.floor(Math.exp((i % 97) / 9))),
      most,
    );
    expect(edges.length).toBeLessThanOrEqual(most + 1);
    expect(edges.every((edge, i) => i === 0 || edge > (edges[i - 1] as number))).toBe(true);
  });
});

describe('a value among bins', () => {
  const edges = [0, 1, 3, 4];
  it('fills those below it, its own by a share, and none above', () => {
    expect(put(2, edges)).toEqual([1, 0.5, 0]);
    expect(put(0.25, edges)).toEqual([0.25, 0, 0]);
  });
  it('beyond the edges is clipped', () => {
    expect(put(-5, edges)).toEqual([0, 0, 0]);
    expect(put(1e300, edges)).toEqual([1, 1, 1]);
  });
});

describe('a column with bins', () => {
  const column = { name: 'n', bins: [0, 1, 3], fill: 2, indicator: true } as const;

  it('has the number itself, its bins, and what says that it was missing', () => {
    const encoder = encoderOf([column], 'x');
    const rows = [3, null].map((value) => {
      const out = [0, 0, 0, 0];
      encoder.put(value, 0, out, 0, 0);
      return out;
    });
    expect(rows).toEqual([
      [3, 1, 1, 0],
      [2, 1, 0.5, 1],
    ]);
    expect(inputsOf([column])).toBe(4);
    expect(areShares(column)).toEqual([false, true, true, true]);
    expect(columnsText([column])[0]).toMatch(/^n: a number, and where it lies in 2 bins from 0 to 3 \(4 inputs\)/);
  });

  it('is refused with edges that do not rise', () => {
    expect(() => checkColumns([{ name: 'n', bins: [0, 2, 1] }], 3)).toThrow(/array of/);
    expect(() => checkColumns([{ name: 'n', bins: [0, 1, 2], date: ['time'] }], 3)).toThrow(/array of/);
  });

  const rowsOf = (rows: number) => Array.from({ length: rows }, (_, i) => ({ n: i * i, b: i % 2 === 0 }));
  const learnt = async (rows: number, bins?: number) => {
    const frame = await frameOf(rowsOf(rows), { name: 'rows' });
    const { columns } = await learnColumns(frame, bins === undefined ? {} : { bins });
    return { columns, x: (await encoded(frame, columns)).x };
  };

  it('is learnt where there are rows enough, as many bins as they bear', async () => {
    const { columns } = await learnt(2000);
    expect(columns.map(({ bins }) => bins?.length)).toEqual([11, undefined]);
  });

  it('has the fewest that tell anything where rows are few, unless these are very few or columns many', () => {
    expect(mostBins(2000, 4)).toBe(10);
    for (const rows of [30, 100, 799]) expect(mostBins(rows, 16)).toBe(4);
    expect(mostBins(29, 1)).toBe(0);
    expect(mostBins(799, 17)).toBe(0);
    expect(mostBins(60_000, 784)).toBe(0);
  });

  it('has few bins where few rows are of another class', async () => {
    const rows = rowsOf(20_000).map((row, i) => ({ ...row, rare: i % 20 === 0 ? 'yes' : 'no' }));
    const { columns } = await learnColumns(await frameOf(rows, { name: 'rows' }), { target: 'rare' });
    expect(columns[0]?.bins).toHaveLength(6);
  });

  it('is not learnt where nobody wants it', async () => {
    expect((await learnt(2000, 0)).columns.every(({ bins }) => bins === undefined)).toBe(true);
    expect((await learnt(500, 3)).columns[0]?.bins).toHaveLength(4);
  });
});
