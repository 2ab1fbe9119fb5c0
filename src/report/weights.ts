/** The weights of a model, layer by layer. */
import { native } from '../core/native.js';
import type { GraphModel } from '../model/graph-model.js';
import type { Model } from '../model/model.js';
import { type Chart, chart, curve } from './charts.js';
import { number, table, text } from './html.js';

/** Singular values of a matrix with more rows and more columns than this take longer than a page should. */
const MOST = 512;
/** A weight is next to nothing below this share of the greatest. */
const NEXT_TO_NOTHING = 1e-3;

/** How large the weights are, and how many are nothing. */
export function weightsTable({ weights: all, network }: Model | GraphModel): string {
  const rows = all.map((W, i) => {
    let [zeros, small, squares, least, most] = [0, 0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of W) {
      squares += value * value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    const bound = NEXT_TO_NOTHING * Math.max(-least, most);
    for (const value of W) {
      if (value === 0) zeros += 1;
      if (Math.abs(value) <= bound) small += 1;
    }
    const shares = [zeros, small].map((count) => `${((100 * count) / W.length).toFixed(1)} %`);
    const shape = `${network.layers[i + 1]} × ${network.layers[i]}`;
    return [`W ${i + 1}`, shape, number(Math.sqrt(squares / W.length)), number(least), number(most), ...shares];
  });
  const head = ['layer', 'outputs × inputs', 'root mean square', 'least', 'greatest', 'zeros', '< ‰ of the largest'];
  return table('Weights', head.map(text), rows);
}

/** The singular values of each layer that is not too large for that. */
export function spectra({ kind, weights, network: { layers } }: Model | GraphModel): readonly Chart[] {
  const found = weights.flatMap((W, i) => {
    const [inputs, outputs] = layers.slice(i, i + 2) as [number, number];
    if (Math.min(inputs, outputs) > MOST) return [];
    const [rows, columns] = kind === 'perceptron' ? [outputs, inputs] : [inputs, outputs];
    return [{ name: `W ${i + 1}`, values: Array.from(native.singularValues(W, rows, columns)) }];
  });
  const ranks = Array.from({ length: Math.max(0, ...found.map(({ values }) => values.length)) }, (_, k) => k + 1);
  return chart(
    ranks,
    { title: 'Singular values of the weights', across: 'rank', up: 'singular value', log: true },
    found.map(({ name, values }) =>
      curve(
        name,
        ranks.map((k) => values[k - 1]),
      ),
    ),
  );
}
