import { titleOf } from './chart.js';
import { BLOCKS, KINDS, type Kind, type TimedBlock } from './curves.js';
import { type CurveReport, type SettingReport, sentences } from './report.js';

interface Column {
  readonly block: TimedBlock;
  readonly kind: Kind;
  readonly curve: CurveReport;
}

const WIDTH = 17;
const FIRST = 24;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const milliseconds = (seconds: number): string => (1e3 * seconds).toPrecision(3);

function exponentText({ exponent, ci }: CurveReport): string {
  if (exponent === null) return '-';
  return ci === null ? exponent.toFixed(2) : `${exponent.toFixed(2)} ±${((ci[1] - ci[0]) / 2).toFixed(2)}`;
}

/** The table of one setting, and what is to be said of it. */
export function tableOf(report: SettingReport): string {
  const columns: readonly Column[] = BLOCKS.flatMap((block) =>
    KINDS[block].flatMap((kind) => {
      const curve = report.kinds[kind]?.[block];
      return curve ? [{ block, kind, curve }] : [];
    }),
  );
  const sizes = [...new Set(columns.flatMap(({ curve }) => curve.points.map(({ n }) => n)))].sort((l, r) => l - r);
  const row = (head: string, cell: (column: Column) => string): string =>
    `${head.padEnd(FIRST)}${columns.map((column) => cell(column).padStart(WIDTH)).join('')}`;
  const ratio = ({ block, kind }: Column): string => {
    const speedup = kind === 'quadratic' ? undefined : report.speedups[block][kind];
    return speedup ? speedup.ratio.toFixed(1) : '-';
  };
  const rangeText = ({ curve: { fit } }: Column): string => (fit ? `${fit.range[0]} to ${fit.range[1]}` : '-');
  const shareText = (value: number | null | undefined): string =>
    value === null || value === undefined ? '-' : percent(value);
  return [
    `${titleOf(report)}: milliseconds an update, medians`,
    row('n', ({ block, kind }) => `${block} ${kind}`),
    ...sizes.map((n) =>
      row(String(n), ({ curve }) => {
        const point = curve.points.find((at) => at.n === n);
        return point ? milliseconds(point.seconds) : '-';
      }),
    ),
    row('exponent, 95 %', ({ curve }) => exponentText(curve)),
    row('  fitted over n =', rangeText),
    row('share of n³ (fitted)', ({ curve }) => shareText(curve.cubicShare)),
    row('share of factorisation', ({ kind, curve }) => (kind === 'quadratic' ? '-' : percent(curve.factorShare))),
    row('times the quadratic', ratio),
    '',
    ...sentences(report),
  ].join('\n');
}
