import type { TopLevelSpec } from 'vega-lite';
import { BLOCKS, type Setting } from './curves.js';
import type { SettingReport } from './report.js';

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

/** Every mark of the picture: the medians, both ends of each fitted line, the crossovers. */
export function marksOf(reports: readonly SettingReport[]): readonly Mark[] {
  return reports.flatMap((report) =>
    BLOCKS.flatMap((block) => {
      const panel = { panel: titleOf(report), block: `${block} update` };
      const curves = Object.entries(report.kinds).flatMap(([kind, blocks]): readonly Mark[] => {
        const curve = blocks[block];
        if (curve === undefined) return [];
        const measured = curve.points.map(({ n, seconds }): Mark => ({ ...panel, kind, part: 'measured', n, seconds }));
        const { fit } = curve;
        if (fit === null) return measured;
        const ends = fit.range.map((n, i): Mark => {
          const seconds = Math.exp(fit.intercept) * n ** fit.exponent;
          return { ...panel, kind, part: 'fit', n, seconds, ...(i === 1 && { label: fit.exponent.toFixed(2) }) };
        });
        return [...measured, ...ends];
      });
      const crossings = Object.entries(report.crossovers[block]).flatMap(([kind, { n }]): readonly Mark[] =>
        n === null ? [] : [{ ...panel, kind, part: 'crossover', n, label: `n = ${Math.round(n)}` }],
      );
      return [...curves, ...crossings];
    }),
  );
}

/** Log-log panels: a row for each setting, a column for each block. */
export function specificationOf(reports: readonly SettingReport[]): TopLevelSpec {
  const x = {
    field: 'n',
    type: 'quantitative',
    title: 'n (width of the layers)',
    scale: { type: 'log', base: 2 },
    axis: { format: 'd', tickCount: 7 },
  } as const;
  const y = {
    field: 'seconds',
    type: 'quantitative',
    title: 'seconds an update',
    scale: { type: 'log' },
    axis: { format: '.0e', tickCount: 6 },
  } as const;
  const color = {
    field: 'kind',
    type: 'nominal',
    title: 'step',
    scale: {
      domain: ['quadratic', 'inverse', 'cholesky', 'pseudoinverse'],
      range: ['#1f77b4', '#d62728', '#2ca02c', '#9467bd'],
    },
  } as const;
  const only = (part: Mark['part']) => ({ filter: { field: 'part', equal: part } });
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
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
        {
          transform: [only('measured')],
          mark: { type: 'line', strokeWidth: 2.5, point: { size: 24 } },
          encoding: { x, y, color },
        },
        {
          transform: [only('fit')],
          mark: { type: 'line', strokeWidth: 1, strokeDash: [4, 3], color: 'black' },
          encoding: { x, y, detail: { field: 'kind' } },
        },
        {
          transform: [only('fit'), { filter: 'isValid(datum.label)' }],
          mark: { type: 'text', align: 'left', dx: 6, fontSize: 10 },
          encoding: { x, y, color, text: { field: 'label', type: 'nominal' } },
        },
        {
          transform: [only('crossover')],
          mark: { type: 'rule', strokeWidth: 1, strokeDash: [2, 2] },
          encoding: { x, color },
        },
        {
          transform: [only('crossover')],
          mark: { type: 'text', align: 'left', baseline: 'top', angle: 90, dx: 4, dy: 2, y: 0, fontSize: 9 },
          encoding: { x, color, text: { field: 'label', type: 'nominal' } },
        },
      ],
    },
  };
}
