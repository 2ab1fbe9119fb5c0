/** One table by the defaults of the package, in a process of its own. */
import { fit } from 'dladmm';
import { answer, peakRssBytes } from '../harness/child.js';
import type { Files } from './tables.js';

export interface Ours {
  /** Of reading the table, its preparation and the training. */
  readonly seconds: number;
  readonly scores: Readonly<Record<string, number>>;
  readonly report: string;
  readonly peakBytes: number;
}

answer(async ({ train, test, target }: Files): Promise<Ours> => {
  const began = performance.now();
  const { model, report } = await fit(train, { target });
  const seconds = (performance.now() - began) / 1000;
  const found = Object.entries(await model.evaluate(test)).filter(([, value]) => typeof value === 'number');
  return { seconds, scores: Object.fromEntries(found), report: String(report), peakBytes: peakRssBytes() };
});
