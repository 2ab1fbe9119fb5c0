import { writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { command } from '../../dist/cli/command.js';
import { Model } from '../../dist/model/model.js';
import { endOnSignals, interruptionOf } from '../../src/cli/interruption.js';
import { inFolder } from './support.js';

function fakeProcess() {
  const listeners = new Map<NodeJS.Signals, () => void>();
  const killed: [number, NodeJS.Signals][] = [];
  const clock = { now: 1000 };
  const controller = new AbortController();
  const source = {
    pid: 42,
    on: (signal: NodeJS.Signals, listener: () => void) => listeners.set(signal, listener),
    removeAllListeners: (signal: NodeJS.Signals) => listeners.delete(signal),
    kill: (pid: number, signal: NodeJS.Signals) => killed.push([pid, signal]),
  };
  endOnSignals(source, controller, () => clock.now);
  const press = (signal: NodeJS.Signals, later = 0) => {
    clock.now += later;
    listeners.get(signal)?.();
  };
  return { press, killed, controller, listeners };
}

describe('signals', () => {
  it('abort at first, with the exit code that shells expect', () => {
    for (const [signal, exitCode] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      const { press, controller, killed } = fakeProcess();
      expect(interruptionOf(controller.signal)).toBeUndefined();
      press(signal);
      expect(interruptionOf(controller.signal)).toEqual({ why: signal, exitCode });
      expect(killed).toEqual([]);
    }
  });

  it('count as one when they come close together, as npm repeats what the terminal has sent', () => {
    const { press, killed } = fakeProcess();
    press('SIGINT');
    press('SIGINT', 250);
    expect(killed).toEqual([]);
  });

  it('end the process at once the second time, by the signal itself', () => {
    const { press, killed, listeners } = fakeProcess();
    press('SIGINT');
    press('SIGINT', 301);
    expect(killed).toEqual([[42, 'SIGINT']]);
    expect(listeners.has('SIGINT')).toBe(false);
  });
});

describe('dladmm predict and dladmm evaluate', () => {
  const { path, run } = inFolder();

  beforeAll(async () => {
    const rows = Array.from({ length: 40 }, (_, i) => `${i % 2},${(i * 7) % 5},${i % 2 ? 'odd' : 'even'}`);
    writeFileSync(path('table.csv'), `a,b,y\n${rows.join('\n')}\n`);
    writeFileSync(path('text.svm'), `${rows.map((_, i) => `${i % 2} ${1 + (i % 2)}:1`).join('\n')}\n`);
    const quick = ['--solver', 'adam', '--epochs', '2', '--quiet', '--save'];
    await run('pack', 'table.csv', '--out', 'table.samples');
    await run('train', 'table.csv', ...quick, 'table.model');
    await run('train', 'text.svm', ...quick, 'text.model');
    await run('train', 'iris', ...quick, 'iris.model');
  });

  /** As if Ctrl-C were pressed when the model is asked. */
  async function pressed(...args: readonly string[]) {
    const listeners = new Map<NodeJS.Signals, () => void>();
    const text = { out: '', err: '' };
    const stream = (name: keyof typeof text): Writable =>
      new Writable({
        write(part, _, done) {
          text[name] += String(part);
          done();
        },
      });
    for (const method of ['predict', 'evaluate'] as const) {
      const asked = Model.prototype[method] as (...given: readonly unknown[]) => Promise<never>;
      vi.spyOn(Model.prototype, method).mockImplementation(function (this: Model, ...given: readonly unknown[]) {
        listeners.get('SIGINT')?.();
        return asked.apply(this, [...given]);
      });
    }
    const code = await command(args, {
      ...{ stdout: stream('out'), stderr: stream('err'), env: {}, pid: 0 },
      ...{ on: (signal, listener) => listeners.set(signal, listener), removeAllListeners: vi.fn(), kill: vi.fn() },
    });
    vi.restoreAllMocks();
    return { code, ...text };
  }

  it.each(
    ['predict', 'evaluate'].flatMap((asking) =>
      [
        ['table.model', 'table.csv'],
        ['table.model', 'table.samples'],
        ['text.model', 'text.svm'],
        ['iris.model', 'iris'],
      ].map((of) => [asking, ...of] as const),
    ),
  )('end at once where they are interrupted: %s %s %s', async (...args) => {
    expect(await pressed(...args)).toEqual({ code: 130, out: '', err: 'dladmm: stopped before anything was done\n' });
  });
});
