import { BLOCKS, type Curve, type Kind, type Point, type Setting, type TimedBlock } from './curves.js';
import { type CurveReport, type SettingReport, sentences, settingReport } from './report.js';

const rounded = (n: number | null): number | null => (n === null ? null : Math.round(n));

type CurveJson = Omit<CurveReport, 'fit'> & { readonly fittedOver: readonly [number, number] | null };

/** One setting as the JSON output has it. */
type SettingJson = Setting & Partial<Record<Kind, Partial<Record<TimedBlock, CurveJson>>>>;

function settingJson(report: SettingReport): SettingJson {
  const byBlock = <Value>(value: (block: TimedBlock) => Value) =>
    Object.fromEntries(BLOCKS.map((block) => [block, value(block)]));
  const crossings = (block: TimedBlock) => Object.entries(report.crossovers[block]);
  const curve = ({ fit, ...rest }: CurveReport): CurveJson => ({ ...rest, fittedOver: fit?.range ?? null });
  const kinds = Object.entries(report.kinds).map(([kind, blocks]) => [
    kind,
    Object.fromEntries(Object.entries(blocks).map(([block, its]) => [block, curve(its)])),
  ]);
  return {
    dtype: report.dtype,
    samples: report.samples,
    ...Object.fromEntries(kinds),
    crossover: byBlock((block) => Object.fromEntries(crossings(block).map(([kind, { n }]) => [kind, rounded(n)]))),
    notSlowerAt: byBlock((block) =>
      Object.fromEntries(crossings(block).map(([kind, { notSlowerAt }]) => [kind, notSlowerAt])),
    ),
    speedup: byBlock((block) => report.speedups[block]),
    notes: sentences(report),
  };
}

/** All settings as one object: the first type on 256 samples at its top, the others under the names of what differs. */
export type ReportJson = Nested & { readonly samplesEqualN: Nested };
type Nested = Partial<SettingJson> & { readonly [K in Setting['dtype']]?: SettingJson };

export function reportJson(reports: readonly SettingReport[]): ReportJson {
  const nested = (of: readonly SettingReport[]): Nested => {
    const [first, ...others] = of;
    if (first === undefined) return {};
    return { ...settingJson(first), ...Object.fromEntries(others.map((other) => [other.dtype, settingJson(other)])) };
  };
  return {
    ...nested(reports.filter(({ samples }) => samples !== 'n')),
    samplesEqualN: nested(reports.filter(({ samples }) => samples === 'n')),
  };
}

const KINDS: readonly Kind[] = ['quadratic', 'pseudoinverse', 'inverse', 'cholesky'];

/** The reverse: what is drawn comes from the points. */
export function reportsOf({ samplesEqualN, ...fixed }: ReportJson): readonly SettingReport[] {
  const reportOf = ({ dtype, samples, ...json }: Nested): readonly SettingReport[] => {
    if (dtype === undefined || samples === undefined) return [];
    const points = (block: TimedBlock, kind: Kind): readonly Point[] => json[kind]?.[block]?.points ?? [];
    const curves = BLOCKS.flatMap((block) =>
      KINDS.map((kind): Curve => ({ block, kind, points: points(block, kind) })),
    );
    return [settingReport({ dtype, samples }, curves)];
  };
  return [fixed, samplesEqualN].flatMap((nested) =>
    [nested, nested.float32, nested.float64].flatMap((each) => reportOf(each ?? {})),
  );
}
