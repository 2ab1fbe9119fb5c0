/**
 * Draws docs/accuracy.svg from the curves in bench/results: test accuracy, augmented Lagrangian and residuals by iteration.
 *
 *     npm run bench:figures
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { TopLevelSpec } from 'vega-lite';
import type { Curve } from './accuracy/curve.js';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';

const root = new URL('../../', import.meta.url);
const curves = await Promise.all(
  ['mnist', 'fashion-mnist'].map(async (name): Promise<Curve> => {
    return JSON.parse(await readFile(new URL(`bench/results/accuracy-${name}.json`, root), 'utf8'));
  }),
);

interface Row {
  readonly data: string;
  readonly iteration: number;
  readonly accuracy: number;
  readonly objective: number;
  readonly residual: number;
  readonly constraint: string;
}

/** One row a curve, an iteration and a constraint; ‖r_l‖ is the root of the sum over the samples. */
const rows: readonly Row[] = curves.flatMap(({ data, points }) =>
  points.flatMap(({ iteration, testAccuracy, lagrangian, residuals }) =>
    residuals.map((square, i) => ({
      data,
      iteration,
      accuracy: testAccuracy,
      objective: lagrangian,
      residual: Math.sqrt(square),
      constraint: i === residuals.length - 1 ? 'output' : `hidden ${i + 1}`,
    })),
  ),
);

const iteration = { field: 'iteration', type: 'quantitative', title: 'iteration' } as const;
const colour = { field: 'data', type: 'nominal', title: null } as const;
const line = { type: 'line', strokeWidth: 1.5, clip: true } as const;
const size = { width: 260, height: 220 };
const spec: TopLevelSpec = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  background: 'white',
  data: { values: [...rows] },
  hconcat: [
    {
      ...size,
      title: 'test accuracy',
      mark: line,
      encoding: {
        x: iteration,
        y: { field: 'accuracy', type: 'quantitative', title: null, scale: { domain: [0.7, 1] } },
        color: colour,
      },
    },
    {
      ...size,
      title: 'augmented Lagrangian',
      mark: line,
      encoding: {
        x: iteration,
        y: { field: 'objective', type: 'quantitative', title: null, scale: { type: 'symlog' } },
        color: colour,
      },
    },
    {
      ...size,
      title: 'norms of the residuals',
      mark: line,
      encoding: {
        x: iteration,
        y: { field: 'residual', type: 'quantitative', title: null, scale: { type: 'log' }, axis: { format: '.0e' } },
        color: colour,
        strokeDash: { field: 'constraint', type: 'nominal', title: 'constraint' },
      },
    },
  ],
};

const charts = await loadCharts();
if (charts === undefined) throw new Error(HOW_TO_HAVE_CHARTS);
const target = new URL('docs/accuracy.svg', root);
await writeFile(target, await charts(spec));
console.log(`wrote ${fileURLToPath(target)}`);
