/** One table by the defaults of the package, in a process of its own. */
import { fit } from 'dladmm';
import { answer, peakRssBytes } from '../harness/child.js';
import { timed } from '../harness/samples.js';
import type { Files } from './tables.js';

export type Ours = Awaited<ReturnType<typeof ours>>;

answer(ours);

async function ours({ train, test, target }: Files) {
  const { found: fitted, seconds } = await timed(() => fit(train, { target }));
  const { model, report } = fitted;
  const found = Object.entries(await model.evaluate(test)).filter(([, value]) => typeof value === 'number');
  /** Seconds of reading the table, its preparation and the training. */
  return { seconds, scores: Object.fromEntries(found), report: String(report), peakBytes: peakRssBytes() };
}
