import { describe, expect, it } from 'vitest';
import { endOnSignals, interruptionOf } from '../../src/cli/interruption.js';

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
