/** What a model is worth, as a page shows it. */
import type { ClassScore } from '../judging/classes.js';
import type { Evaluation } from '../judging/evaluation.js';
import { isTelling } from '../judging/metrics.js';
import type { Importance } from '../model/importance.js';
import { type Chart, chart, curve } from './charts.js';
import { bar, facts, number, table, text } from './html.js';

/** More classes, or columns, than this make a table that nobody reads. */
const MOST = 50;

/** A cell as dark as it is a share of its row. */
const heat = (value: number, share: number): string =>
  `<span style="display:block;background:rgba(var(--heat),${(0.55 * share).toFixed(2)})">${number(value)}</span>`;

function confusion(what: string, matrix: readonly (readonly number[])[], names: readonly string[]): string {
  if (names.length > MOST) return `<p>The confusion matrix of ${names.length} classes is left out.</p>`;
  const rows = matrix.map((row, c) => {
    const all = row.reduce((sum, value) => sum + value, 0);
    return [text(names[c]), ...row.map((value) => heat(value, all > 0 ? value / all : 0))];
  });
  return table(`${what}: true classes down, predicted ones across`, ['', ...names.map(text)], rows);
}

/** Curves of probabilities, or residuals of values. */
export function judgedCharts(
  what: string,
  { drawn: { roc = [], bins = [], residuals = [] } = {} }: Evaluation,
  targets: readonly string[] = [],
): readonly Chart[] {
  const [wrong, told] = [roc.map(([x]) => x), bins.map((bin) => bin.told)];
  return [
    ...chart(wrong, { title: `${what}: ROC`, across: 'false alarms, as a share', up: 'hits, as a share' }, [
      curve(
        'the model',
        roc.map(([, y]) => y),
      ),
      curve('by chance', wrong),
    ]),
    ...chart(told, { title: `${what}: calibration`, across: 'probability that was told', up: 'share that was so' }, [
      curve(
        'the model',
        bins.map(({ found }) => found),
      ),
      curve('exact', told),
    ]),
    ...residuals.flatMap((points, target) => {
      const rising = points.toSorted(([a], [b]) => a - b);
      const of = residuals.length > 1 ? ` of ${targets[target] ?? `output ${target + 1}`}` : '';
      return chart(
        rising.map(([x]) => x),
        { title: `${what}: residuals${of}`, across: 'value that was told', up: 'true value less that', points: true },
        [
          curve(
            'residual',
            rising.map(([, y]) => y),
          ),
        ],
      );
    }),
  ];
}

export function scores(what: string, evaluation: Evaluation): string {
  const single = Object.entries(evaluation).filter(
    ([name, value]) => typeof value === 'number' && isTelling(name, value),
  ) as [string, number][];
  const parts = 'classes' in evaluation ? evaluation.classes : 'labels' in evaluation ? evaluation.labels : [];
  const measures = Object.keys(parts[0] ?? {}).filter((key) => key !== 'name') as (keyof ClassScore)[];
  const rows = parts.slice(0, MOST).map((part) => [text(part.name), ...measures.map((key) => number(part[key]))]);
  const more = parts.length > MOST ? `, the first ${MOST} of ${parts.length}` : '';
  return [
    facts(single.map(([name, value]) => [name, number(value)])),
    rows.length === 0 ? '' : table(`${what}, one by one${more}`, ['', ...measures.map(text)], rows),
    'confusion' in evaluation
      ? confusion(
          what,
          evaluation.confusion,
          evaluation.classes.map(({ name }) => name),
        )
      : '',
  ].join('');
}

/** What each column is worth, as `importance` has found it. */
export function columnsTable({ metric, columns }: Importance): string {
  const most = Math.max(...columns.map(({ mean }) => mean), Number.MIN_VALUE);
  const rows = columns
    .slice(0, MOST)
    .map(({ column, mean, sd }) => [text(column), number(mean), number(sd), bar(Math.max(0, mean) / most)]);
  const more = columns.length > MOST ? `, the first ${MOST} of ${columns.length}` : '';
  return table(
    `By how much ${metric} is worse where a column is shuffled${more}`,
    ['column', 'importance', '±', ''],
    rows,
  );
}
