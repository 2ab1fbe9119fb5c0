/**
 * Draws docs/peers.svg from what the runs left in bench/results: test accuracy by iteration of dlADMM (accuracy-*.json), of
 * the inversion ADMM from its two starts (compare-*.json) and of the full-batch gradient methods (kdd-*.json).
 *
 *     npm run bench:peers
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Curve } from './accuracy/curve.js';
import type { Comparison } from './compare/curves.js';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';

interface Row {
  readonly data: string;
  readonly method: string;
  readonly iteration: number;
  readonly accuracy: number;
}

/** What is read of a file of bench:kdd. */
interface Kdd {
  readonly methods: Readonly<
    Record<string, { readonly points?: readonly { readonly iteration: number; readonly testAccuracy: number }[] }>
  >;
}

const INVERSIONS: Readonly<Record<string, string>> = {
  'inversion-forward-1': 'inversion ADMM, forward start',
  'inversion-gaussian-1': 'inversion ADMM, N(0, 1) start',
};
const root = new URL('../../', import.meta.url);
const read = async (name: string): Promise<unknown> =>
  JSON.parse(await readFile(new URL(`bench/results/${name}.json`, root), 'utf8'));

async function rowsOf(data: string): Promise<readonly Row[]> {
  const rows = (
    method: string,
    points: readonly { readonly iteration: number; readonly testAccuracy: number }[],
  ): Row[] => points.map(({ iteration, testAccuracy }) => ({ data, method, iteration, accuracy: testAccuracy }));
  const dladmm = (await read(`accuracy-${data}`)) as Curve;
  const { curves } = (await read(`compare-${data}`)) as Comparison;
  const { methods } = (await read(`kdd-${data}`)) as Kdd;
  return [
    ...rows('dlADMM', dladmm.points),
    ...curves.flatMap(({ method, points }) => {
      const name = INVERSIONS[method];
      return name === undefined ? [] : rows(name, points);
    }),
    ...Object.entries(methods).flatMap(([method, { points = [] }]) => rows(`${method}, full batch`, points)),
  ];
}

const values = (await Promise.all(['mnist', 'fashion-mnist'].map(rowsOf))).flat();
const charts = await loadCharts();
if (charts === undefined) throw new Error(HOW_TO_HAVE_CHARTS);
const target = new URL('docs/peers.svg', root);
await writeFile(
  target,
  await charts({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    data: { values },
    facet: { column: { field: 'data', type: 'nominal', title: null, sort: ['mnist', 'fashion-mnist'] } },
    spec: {
      width: 340,
      height: 300,
      mark: { type: 'line', strokeWidth: 1.5, clip: true },
      encoding: {
        x: { field: 'iteration', type: 'quantitative', title: 'iteration' },
        y: { field: 'accuracy', type: 'quantitative', title: 'test accuracy', scale: { domain: [0.6, 1] } },
        color: { field: 'method', type: 'nominal', title: null, legend: { labelLimit: 300 } },
      },
    },
  }),
);
console.log(`wrote ${fileURLToPath(target)}`);
