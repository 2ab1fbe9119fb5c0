import { coloured, figure, logAlong, type TopLevelSpec } from '../harness/figures.js';
import { mean } from '../harness/statistics.js';
import { BLOCKS, KINDS, type Setting } from './curves.js';
import type { CurveReport, SettingReport } from './report.js';

interface Panel {
  readonly panel: string;
  readonly block: string;
}

interface Mark extends Panel {
  readonly n: number;
  readonly seconds?: number;
  readonly kind: string;
  readonly part: 'measured' | 'fit' | 'crossover';
  readonly label?: string;
}

export const titleOf = ({ dtype, samples }: Setting): string =>
  `${dtype}, ${samples === 'n' ? 'samples = n' : `${samples} samples`}`;

/** The seconds of the least-squares line at a width: it goes through the middle of what it was laid through. */
function lineOf({ exponent, fittedOver, points }: CurveReport): ((n: number) => number) | undefined {
  if (exponent === null || fittedOver === null) return undefined;
  const used = points.filter(({ n }) => n >= fittedOver[0] && n <= fittedOver[1]);
  const intercept = mean(used.map(({ n, seconds }) => Math.log(seconds) - exponent * Math.log(n)));
  return (n) => Math.exp(intercept) * n ** exponent;
}

/** Every mark of the picture: the medians, both ends of each fitted line, the crossovers. */
export function marksOf(reports: readonly SettingReport[]): readonly Mark[] {
  return reports.flatMap((report) =>
    BLOCKS.flatMap((block) => {
      const panel = { panel: titleOf(report), block: `${block} update` };
      const curves = KINDS[block].flatMap((kind): readonly Mark[] => {
        const curve = report[kind]?.[block];
        if (curve === undefined) return [];
        const line = lineOf(curve);
        const measured = curve.points.map(({ n, seconds }): Mark => ({ ...panel, kind, part: 'measured', n, seconds }));
        const ends = (line ? (curve.fittedOver ?? []) : []).map((n, i): Mark => {
          const label = i === 1 && { label: curve.exponent?.toFixed(2) ?? '' };
          return { ...panel, kind, part: 'fit', n, seconds: line?.(n) ?? Number.NaN, ...label };
        });
        return [...measured, ...ends];
      });
      const crossings = Object.entries(report.crossover[block]).flatMap(([kind, n]): readonly Mark[] =>
        n === null ? [] : [{ ...panel, kind, part: 'crossover', n, label: `n = ${n}` }],
      );
      return [...curves, ...crossings];
    }),
  );
}

const COLOURS = { quadratic: '#1f77b4', inverse: '#d62728', cholesky: '#2ca02c', pseudoinverse: '#9467bd' };

/** Log-log panels: a row for each setting, a column for each block. */
export function specificationOf(reports: readonly SettingReport[]): TopLevelSpec {
  const x = logAlong('n', {
    title: 'n (width of the layers)',
    scale: { base: 2 },
    axis: { format: 'd', tickCount: 7 },
  });
  const y = logAlong('seconds', { title: 'seconds an update', axis: { tickCount: 6 } });
  const scale = { domain: Object.keys(COLOURS), range: Object.values(COLOURS) };
  const color = coloured('kind', { title: 'step', scale });
  const text = { field: 'label', type: 'nominal' };
  const part = (name: Mark['part'], mark: object, encoding: object) => ({
    transform: [{ filter: { field: 'part', equal: name } }],
    mark,
    encoding,
  });
  const label = { type: 'text', align: 'left' };
  const labelled = part('fit', { ...label, dx: 6, fontSize: 10 }, { x, y, color, text });
  return figure({
    title: {
      text: 'One update by the width of the layers',
      subtitle: 'dashed: least-squares lines with their slopes; upright: from here on inversion is slower',
    },
    data: { values: [...marksOf(reports)] },
    facet: {
      row: { field: 'panel', type: 'nominal', title: null, sort: reports.map(titleOf) },
      column: { field: 'block', type: 'nominal', title: null, sort: BLOCKS.map((block) => `${block} update`) },
    },
    spec: {
      width: 320,
      height: 240,
      layer: [
        part('measured', { type: 'line', strokeWidth: 2.5, point: { size: 24 } }, { x, y, color }),
        part(
          'fit',
          { type: 'line', strokeWidth: 1, strokeDash: [4, 3], color: 'black' },
          { x, y, detail: { field: 'kind' } },
        ),
        { ...labelled, transform: [...labelled.transform, { filter: 'isValid(datum.label)' }] },
        part('crossover', { type: 'rule', strokeWidth: 1, strokeDash: [2, 2] }, { x, color }),
        part(
          'crossover',
          { ...label, baseline: 'top', angle: 90, dx: 4, dy: 2, y: 0, fontSize: 9 },
          { x, color, text },
        ),
      ],
    },
  });
}
