/** How long the event loop is held up. */
import { readFileSync } from 'node:fs';

const LINUX = process.platform === 'linux';

/** The processor's time of this process's first thread, in milliseconds: busy neighbours do not lengthen it (Linux tells it, nothing else does). */
const ownMs = (): number =>
  LINUX ? Number.parseInt(readFileSync('/proc/self/schedstat', 'latin1'), 10) / 1e6 : Number.NaN;

/** A timer that notes when it fired, how late, and how long the thread ran in between, until it is stopped. */
export function ticker(period: number) {
  const ticks: { readonly at: number; readonly late: number; readonly own: number }[] = [];
  let [due, before] = [performance.now() + period, ownMs()];
  const tick = (): void => {
    const [at, all] = [performance.now(), ownMs()];
    ticks.push({ at, late: Math.max(0, at - due), own: all - before });
    [due, before] = [at + period, all];
    timer = setTimeout(tick, period);
  };
  let timer = setTimeout(tick, period);
  return { ticks, stop: () => clearTimeout(timer) };
}
