import { describe, expect, test } from 'vitest';
import { efficiency, fastest, type Round, roundSeconds, roundsOf } from '../../dist/bench/scaling/schedule.js';
import { native } from '../../dist/core/native.js';
import { train } from '../../dist/index.js';

const FREE = { round: 0, claim: 0 };
const round = (pieces: readonly number[], before = 0, flops = 1e12): Round => ({ before, flops, pieces });

describe('a round on several threads', () => {
  test('takes what its busiest thread takes, whoever is free taking the next piece', () => {
    expect(roundSeconds(round([1, 1, 1, 1]), 2, FREE)).toBe(2);
    expect(roundSeconds(round([3, 1, 1, 1]), 2, FREE)).toBe(3);
    expect(roundSeconds(round([1, 1, 1, 3]), 2, FREE)).toBe(4);
    expect(roundSeconds(round([1, 1, 1]), 8, FREE)).toBe(1);
  });

  test('takes no more threads than it has flops for', () => {
    expect(roundSeconds(round([1, 1, 1, 1], 0, 6e6), 4, FREE)).toBe(2);
    expect(roundSeconds(round([1, 1, 1, 1], 0, 5.9e6), 4, FREE)).toBe(4);
  });

  test('costs something, and claims are made one at a time', () => {
    expect(roundSeconds(round([1, 1]), 2, { round: 0.5, claim: 0 })).toBe(1.5);
    expect(roundSeconds(round([0, 0, 0, 0]), 4, { round: 0, claim: 1 })).toBe(4);
  });
});

describe('the efficiency', () => {
  test('is that of Amdahl where a share is done by one thread', () => {
    const rounds = [round(new Array(90).fill(1), 10)];
    expect(efficiency(rounds, 1, FREE)).toMatchObject({ efficiency: 1, seconds: 100, serialShare: 0.1 });
    expect(efficiency(rounds, 9, FREE).efficiency).toBeCloseTo(100 / (9 * 20), 12);
  });
});

describe('a trace', () => {
  test('is read round by round, and begins with its first', () => {
    expect(roundsOf([7, 1e6, 2, 0.1, 0.2, 3, 2e6, 1, 0.4])).toEqual([
      { before: 0, flops: 1e6, pieces: [0.1, 0.2] },
      { before: 3, flops: 2e6, pieces: [0.4] },
    ]);
  });

  test('gives every piece at the fastest of those that have the same rounds', () => {
    const traces = [[round([3, 1], 2)], [round([1, 2], 5)], [round([0.1], 0)]];
    expect(fastest(traces)).toEqual([{ before: 2, flops: 1e12, pieces: [1, 1] }]);
  });

  test('has the rounds of a training of one thread, and none when it is off', async () => {
    const data = { x: new Float32Array(64).fill(0.5), labels: new Int32Array(16) };
    const training = train(data, { layers: [4, 3, 2], threads: 1, iterations: 3 })[Symbol.asyncIterator]();
    await training.next();
    native.traceRounds(true);
    await training.next();
    const rounds = roundsOf(native.traceRounds(false));
    await training.next();
    expect(rounds.length).toBeGreaterThan(3);
    expect(rounds.every(({ pieces }) => pieces.length > 0 && pieces.every((seconds) => seconds >= 0))).toBe(true);
    expect(native.traceRounds(false)).toHaveLength(0);
  });
});
