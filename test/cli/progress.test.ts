import { describe, expect, it } from 'vitest';
import { duration, median, progressLine, secondsLeft, startProgress } from '../../src/cli/progress.js';
import type { Terminal } from '../../src/cli/terminal.js';
import type { IterationRecord } from '../../src/solvers/shared/splittings/layered.js';

const record = (iteration: number, elapsed: number, more: Partial<IterationRecord> = {}): IterationRecord => ({
  iteration,
  elapsed,
  seconds: 0,
  lagrangian: 12.5,
  loss: 1,
  lossSum: 60,
  regularisation: 0,
  residuals: [9, 0],
  activationResiduals: [16],
  dualNorm: 0,
  dualProduct: 0,
  dualIdentity: 0,
  penalties: { nu: 1, rho: 1, theta0: 1, tau0: 1 },
  updates: [],
  ...more,
});

function fakeTerminal(live: boolean, columns = 80) {
  const written: string[] = [];
  const terminal: Terminal = {
    signal: new AbortController().signal,
    live,
    columns: () => columns,
    out: async () => {},
    err: (text) => void written.push(text),
  };
  return { terminal, written };
}

describe('the time left', () => {
  it('is the median of the last iterations for each one to come', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(secondsLeft([10], 4)).toBe(30);
    // The first iteration took 10 s and one had a hiccup of 100 s: the others took 1 s.
    expect(secondsLeft([10, 11, 12, 112, 113], 10)).toBe(5);
  });

  it('forgets what is long ago', () => {
    const elapsed = Array.from({ length: 40 }, (_, i) => (i < 20 ? 10 * i : 200 + i - 20));
    expect(secondsLeft(elapsed, 50)).toBe(10);
  });

  it('ends at the time limit', () => {
    expect(secondsLeft([1, 2, 3], 100, 10)).toBe(7);
    expect(secondsLeft([1, 2, 13], 100, 10)).toBe(0);
  });

  it('is told in words', () => {
    expect([0.2, 59.1, 80, 7500].map(duration)).toEqual(['1 s', '1 min 0 s', '1 min 20 s', '2 h 5 min']);
  });
});

describe('a line of progress', () => {
  it('has iteration, objective, residual, metrics and the time left', () => {
    const line = progressLine(record(7, 1, { train: { loss: 2 }, test: { loss: 1, accuracy: 0.98765 } }), 200, 65);
    expect(line).toBe(
      '  7/200  objective 1.250e+1  residual 5.000e+0  train loss 2.000e+0  test 98.77 %  1 min 5 s left',
    );
  });

  it('of the last iteration has no time left', () => {
    expect(progressLine(record(3, 1), 3, 0)).not.toContain('left');
  });

  it('is a line of its own where nobody watches', () => {
    const { terminal, written } = fakeTerminal(false);
    const progress = startProgress(terminal, 2);
    progress.show(record(1, 1));
    progress.show(record(2, 2));
    progress.end();
    expect(written).toEqual([expect.stringMatching(/^1\/2 .* 1 s left\n$/), expect.stringMatching(/^2\/2 [^\r]*\n$/)]);
  });

  it('is written over on a terminal, within its width, and left standing at the end', () => {
    const { terminal, written } = fakeTerminal(true, 30);
    const progress = startProgress(terminal, 9);
    for (const i of [1, 2, 9]) progress.show(record(i, i));
    progress.end();
    progress.end();
    expect(written.slice(0, -1).every((text) => /^\r\d\/9 {2}[^\r\n]*$/.test(text) && text.length === 30)).toBe(true);
    expect(written.at(-1)).toBe('\n');
    expect(written).toHaveLength(5);
  });

  it('covers a longer one that stood there', () => {
    const { terminal, written } = fakeTerminal(true);
    const progress = startProgress(terminal, 2);
    progress.show(record(1, 1));
    progress.show(record(2, 2));
    expect(written[1]?.trimEnd().length).toBeLessThan(written[0]?.length ?? 0);
    expect(written[1]).toHaveLength(written[0]?.length ?? 0);
  });

  it('changes ten times a second at most, and last of all to the last iteration', () => {
    const { terminal, written } = fakeTerminal(true);
    const progress = startProgress(terminal, 100);
    for (let i = 1; i <= 100; i += 1) progress.show(record(i, i / 1000));
    expect(written).toHaveLength(1);
    progress.end();
    expect(written.join('')).toMatch(/100\/100 .*\n$/);
  });
});
