/** Why the command should come to an end, and what it then ends with. */
export interface Interruption {
  readonly why: NodeJS.Signals | 'closed pipe' | 'failed output';
  readonly exitCode: number;
}

/** What of `process` is needed here. */
export interface SignalSource {
  readonly pid: number;
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  removeAllListeners(signal: NodeJS.Signals): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

/** 128 plus the number of the signal, as shells have it. */
const EXIT_CODES: ReadonlyMap<NodeJS.Signals, number> = new Map([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]);

/** npm passes on a Ctrl-C that the terminal has sent to its children already: signals this close together are one. */
const ONE_PRESS_MS = 300;

/**
 * Aborts `controller` with an {@link Interruption} at the first signal that asks to end, so that work can end in good
 * order; a second one ends the process at once.
 */
export function endOnSignals(source: SignalSource, controller: AbortController, now: () => number): void {
  let first: number | undefined;
  for (const [signal, exitCode] of EXIT_CODES) {
    source.on(signal, () => {
      if (first === undefined) {
        first = now();
        controller.abort({ why: signal, exitCode } satisfies Interruption);
      } else if (now() - first > ONE_PRESS_MS) {
        // An exit of Node's own would wait for native work to end; the signal itself does not.
        source.removeAllListeners(signal);
        source.kill(source.pid, signal);
      }
    });
  }
}

export const interruptionOf = (signal: AbortSignal): Interruption | undefined =>
  signal.aborted ? (signal.reason as Interruption) : undefined;
