import { describe, expect, it, vi } from 'vitest';
import {
  duration,
  median,
  memory,
  progressLine,
  secondsLeft,
  spark,
  startProgress,
  telling,
} from '../../src/cli/progress.js';
import { openTerminal, type Terminal } from '../../src/cli/terminal.js';
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

function fakeTerminal(live: boolean, columns = 80, colours = false) {
  const written: string[] = [];
  const terminal: Terminal = {
    signal: new AbortController().signal,
    ...{ live, colours },
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

  it('leaves out the loss of values as they are learnt, standardised, beside one in their units', () => {
    const epoch = { iteration: 3, loss: 0.5, seconds: 1, elapsed: 1, steps: 4, learningRate: 1 };
    const line = (validation: object) => progressLine({ ...epoch, validation } as never, 3, 0);
    expect(line({ loss: 1.4e6 })).toBe('3/3  validation loss 1.400e+6');
    expect(line({ loss: 1.4, accuracy: 0.5 })).toBe('3/3  loss 5.000e-1  validation 50.00 %');
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
    expect(written.slice(0, -1).every((text) => /^\r\d\/9 {2}[^\r\n]*$/.test(text) && text.length <= 30)).toBe(true);
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

  const judged = (i: number) => record(i, i, { test: { loss: 1, accuracy: i / 200 } });
  const parts = { scores: [0.1, 0.5, 0.3, 0.9, 1], rows: 12_345, memory: 85e6 };

  it('has bars of the score, rows a second and memory at 80 columns, and what counts most at 40', () => {
    const at = (columns: number): string => progressLine(judged(7), 200, 65, { ...parts, columns });
    expect(at(79)).toBe('  7/200  12.3K rows/s  85 MB  ▁▄▃▇█  test 3.50 %  1 min 5 s left');
    expect(at(39)).toBe('  7/200  test 3.50 %  1 min 5 s left');
    expect(progressLine(judged(7), 200, 5, { ...parts, columns: 39 })).toBe('  7/200  ▁▄▃▇█  test 3.50 %  5 s left');
    expect(at(200)).toContain('objective 1.250e+1  residual 5.000e+0  12.3K rows/s');
    for (let columns = 19; columns < 100; columns += 1) expect(at(columns).length).toBeLessThanOrEqual(columns);
  });

  it('keeps what a training learns by where nothing is judged', () => {
    expect(progressLine(record(7, 1), 200, 65, { ...parts, columns: 39 })).toContain('objective 1.250e+1');
  });

  it('draws the score from the lowest to the highest, the last of each stretch', () => {
    expect(spark([1, 2, 3, 4, 5, 6, 7, 8], 10)).toBe('▁▂▃▄▅▆▇█');
    expect(spark([9, 1, 9, 2], 2)).toBe('▁█');
    expect(spark([3, 3], 4)).toBe('▁▁');
    expect(spark([1, Number.NaN, 2], 3)).toBe('▁ █');
    expect(memory(1.24e9)).toBe('1.2 GB');
  });

  it('is coloured on a terminal that shows colours, where its bars are', () => {
    const { terminal, written } = fakeTerminal(true, 80, true);
    const progress = startProgress(terminal, 9);
    for (const i of [1, 2]) progress.show(judged(i), 100);
    expect(written[1]).toContain('100 rows/s');
    expect(written[1]).toContain('\u001b[36m▁█\u001b[39m');
    expect(written[1]?.replaceAll(/.\[\d\dm/g, '').length).toBeLessThanOrEqual(80);
  });

  it('is written now and then where nobody watches: ten, then after a twentieth of the time, and the last', () => {
    const { terminal, written } = fakeTerminal(false);
    const progress = startProgress(terminal, 1000);
    for (let i = 1; i <= 1000; i += 1) progress.show(judged(i));
    progress.end();
    progress.end();
    const numbers = written.map((line) => Number.parseInt(line, 10));
    expect(numbers.slice(0, 12)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(numbers.at(-1)).toBe(1000);
    expect(numbers.length).toBeLessThan(110);
    for (const [i, number] of numbers.entries()) expect(number - (numbers[i - 1] ?? 0)).toBeLessThanOrEqual(60);
    expect(written.every((line) => line.endsWith('\n') && !line.includes('\r') && !line.includes('\u001b'))).toBe(true);
  });
});

describe('a long work', () => {
  const working = async (live: boolean, seconds: number) => {
    const { terminal, written } = fakeTerminal(live);
    vi.useFakeTimers();
    try {
      const done = telling(terminal, 'reading a.csv', async (far, say) => {
        far(10e6, 40e6);
        await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
        say('said\n');
        return 7;
      });
      await vi.advanceTimersByTimeAsync(1000 * seconds);
      expect(await done).toBe(7);
    } finally {
      vi.useRealTimers();
    }
    return written;
  };

  it('is told of every second on a terminal, with what is left, and wiped out when something else is said', async () => {
    const written = await working(true, 2.5);
    expect(written[1]?.trimEnd()).toMatch(/^\rreading a\.csv {2}10 MB of 40 MB {2}2 s {2}6 s left {2}\d+ MB$/);
    expect(written.slice(2)).toEqual([expect.stringMatching(/^\r +$/), '\r', 'said\n']);
  });

  it('is told of in whole lines elsewhere, each half a minute, and not at all when it is short', async () => {
    expect(await working(false, 61)).toEqual([
      expect.stringMatching(/^reading a\.csv .* 30 s .*\n$/),
      expect.stringMatching(/^reading a\.csv .* 1 min 0 s .*\n$/),
      'said\n',
    ]);
    expect(await working(true, 0.5)).toEqual(['said\n']);
  });
});

describe('a terminal', () => {
  const opened = (env: NodeJS.ProcessEnv, isTTY = true) => {
    const stream = { on: () => stream, write: () => true, isTTY, columns: 40 } as never;
    const { live, colours } = openTerminal({ stdout: stream, stderr: stream, env }, new AbortController());
    return { live, colours };
  };

  it('shows a line that changes, and colours, but for NO_COLOR, to a person alone', () => {
    expect(opened({})).toEqual({ live: true, colours: true });
    expect(opened({ NO_COLOR: '1' })).toEqual({ live: true, colours: false });
    for (const env of [{ CI: 'true' }, { TERM: 'dumb' }]) expect(opened(env)).toEqual({ live: false, colours: false });
    expect(opened({}, false)).toEqual({ live: false, colours: false });
  });
});
