import { BLOCKS, type TimedBlock } from './curves.js';
import { type SettingReport, sentences } from './report.js';

const rounded = (n: number | null): number | null => (n === null ? null : Math.round(n));

/** One setting as the JSON output has it. */
export function settingJson(report: SettingReport): Readonly<Record<string, unknown>> {
  const byBlock = <Value>(value: (block: TimedBlock) => Value) =>
    Object.fromEntries(BLOCKS.map((block) => [block, value(block)]));
  return {
    dtype: report.dtype,
    samples: report.samples,
    ...Object.fromEntries(
      Object.entries(report.kinds).map(([kind, blocks]) => [
        kind,
        Object.fromEntries(
          Object.entries(blocks).map(([block, { fit, ...curve }]) => [
            block,
            { ...curve, fittedOver: fit?.range ?? null },
          ]),
        ),
      ]),
    ),
    crossover: byBlock((block) =>
      Object.fromEntries(Object.entries(report.crossovers[block]).map(([kind, { n }]) => [kind, rounded(n)])),
    ),
    notSlowerAt: byBlock((block) =>
      Object.fromEntries(
        Object.entries(report.crossovers[block]).map(([kind, { notSlowerAt }]) => [kind, notSlowerAt]),
      ),
    ),
    speedup: byBlock((block) => report.speedups[block]),
    notes: sentences(report),
  };
}

/** All settings as one object: the first type on 256 samples at its top, the others under the names of what differs. */
export function reportJson(reports: readonly SettingReport[]): Readonly<Record<string, unknown>> {
  const nested = (of: readonly SettingReport[]): Readonly<Record<string, unknown>> => {
    const [first, ...others] = of;
    if (first === undefined) return {};
    return { ...settingJson(first), ...Object.fromEntries(others.map((other) => [other.dtype, settingJson(other)])) };
  };
  return {
    ...nested(reports.filter(({ samples }) => samples !== 'n')),
    samplesEqualN: nested(reports.filter(({ samples }) => samples === 'n')),
  };
}
