import { describe, expect, test } from 'vitest';
import { growingNumbers, slabs } from '../../src/tensor/growing.js';

/** `count` numbers, of which those from `wide` on are no float32. */
const numbers = (count: number, wide = Number.POSITIVE_INFINITY): readonly number[] =>
  Array.from({ length: count }, (_, i) => (i < wide ? i / 4 : i / 3 + 0.1));

const isWide = (value: number): boolean => Math.fround(value) !== value;

/** `many` come at once, of which some are no float32 or none. */
function grown(values: readonly number[], memory?: ReturnType<typeof slabs>, many = 1) {
  const growing = growingNumbers(memory);
  if (many === 1) for (const value of values) growing.push(value);
  for (let at = 0; many > 1 && at < values.length; at += many) {
    const some = Float64Array.from(values.slice(at, at + many));
    growing.pushAll(some, some.some(isWide));
  }
  return growing;
}

describe.each([
  ['blocks of their own', 1, () => undefined],
  ['slabs', 1, slabs],
  ['slabs', 7, slabs],
  ['blocks of their own', 5000, () => undefined],
  ['slabs', 90_000, slabs],
])('numbers that grow in %s, %i at once,', (_, many, memory) => {
  const grow = (values: readonly number[]) => grown(values, memory(), many);

  test.each([
    [0, 0],
    [1, 1],
    [32, 9],
    [33, 33],
    [70, 64],
    [70, 3],
    [100_000, 100_000],
    [100_000, 70_000],
    [100_000, 40],
  ])('are, %i of them of which those from %i on are no float32, what came', async (count, wide) => {
    const values = numbers(count, wide);
    const growing = grow(values);
    expect(growing.length).toBe(count);
    for (const first of [0, 1, 31, 32, 63, 64, 32_767, 65_504, 69_999, count - 1]) {
      for (const many of [0, 1, 2, 33, 500, 40_000]) {
        if (first < 0 || first + many > count) continue;
        const part = growing.part(first, many);
        expect(part).toBeInstanceOf(wide < count ? Float64Array : Float32Array);
        expect([...part]).toEqual(values.slice(first, first + many));
      }
    }
    expect([...(await growing.taken())]).toEqual(values);
  });

  test('are asked for backwards too', () => {
    const values = numbers(80_000, 50_000);
    const growing = grow(values);
    for (let first = 79_000; first >= 0; first -= 1000)
      expect([...growing.part(first, 1000)]).toEqual(values.slice(first, first + 1000));
  });

  test('are there from the row on to which they were released', () => {
    const values = numbers(200_000);
    const growing = grow(values);
    for (let first = 0; first < values.length; first += 500) {
      expect([...growing.part(first, 500)]).toEqual(values.slice(first, first + 500));
      growing.release(first + 500);
    }
  });

  test('are not read once their memory has been given back', () => {
    const growing = grow(numbers(2_000_000));
    growing.release(1_900_000);
    expect(() => growing.part(40_000, 10)).toThrow(TypeError);
  });
});

describe('slabs', () => {
  test('give memory back when all that stand in it have been released', () => {
    const memory = slabs();
    const rooms = Array.from({ length: 40 }, () => memory.room('float32', 1000));
    const first = rooms.filter(({ numbers }) => numbers.buffer === rooms[0]?.numbers.buffer);
    expect(first.length).toBeGreaterThan(1);
    expect(first.length).toBeLessThan(rooms.length);
    for (const room of first.slice(1)) room.release();
    expect(first.every(({ numbers }) => numbers.length === 1000)).toBe(true);
    first[0]?.release();
    expect(first.every(({ numbers }) => numbers.length === 0)).toBe(true);
    expect(rooms.at(-1)?.numbers.length).toBe(1000);
  });

  test('have room for what is larger than any of them', () => {
    expect(slabs().room('float64', 100_000).numbers.length).toBe(100_000);
  });

  test('have doubles begin where doubles may', () => {
    const memory = slabs();
    memory.room('float32', 3);
    expect(memory.room('float64', 3).numbers).toEqual(new Float64Array(3));
  });
});
