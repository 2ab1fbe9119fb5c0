import { table } from '../harness/table.js';
import { titleOf } from './chart.js';
import { BLOCKS, KINDS, type Kind, type TimedBlock } from './curves.js';
import type { CurveReport, SettingReport } from './report.js';

interface Column {
  readonly block: TimedBlock;
  readonly kind: Kind;
  readonly curve: CurveReport;
}

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
      const curve = report[kind]?.[block];
      return curve ? [{ block, kind, curve }] : [];
    }),
  );
  const sizes = [...new Set(columns.flatMap(({ curve }) => curve.points.map(({ n }) => n)))].sort((l, r) => l - r);
  const row = (head: string, cell: (column: Column) => string): readonly string[] => [head, ...columns.map(cell)];
  const shareText = (value: number | null | undefined): string => (typeof value === 'number' ? percent(value) : '-');
  const rows = [
    ...sizes.map((n) =>
      row(String(n), ({ curve }) => {
        const point = curve.points.find((at) => at.n === n);
        return point ? milliseconds(point.seconds) : '-';
      }),
    ),
    row('exponent, 95 %', ({ curve }) => exponentText(curve)),
    row('  fitted over n =', ({ curve }) => curve.fittedOver?.join(' to ') ?? '-'),
    row('share of n³ (fitted)', ({ curve }) => shareText(curve.cubicShare)),
    row('share of factorisation', ({ kind, curve }) => (kind === 'quadratic' ? '-' : percent(curve.factorShare))),
    row('times the quadratic', ({ block, kind }) =>
      kind === 'quadratic' ? '-' : (report.speedup[block][kind]?.ratio.toFixed(1) ?? '-'),
    ),
  ];
  return [
    `${titleOf(report)}: milliseconds an update, medians`,
    table(['n', ...columns.map(({ block, kind }) => `${block} ${kind}`)], rows),
    '',
    ...report.notes,
  ].join('\n');
}
