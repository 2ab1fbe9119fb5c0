/** Multipliers of z_L for labels that the model draws itself. */
import { seededRandom } from '../../src/core/random.js';
import type { Network } from '../../src/index.js';
import { at } from './dense.js';

/** A label of the model's own drawn for a row, as the addon draws it: its multiplier. */
export function drawnMultiplier(
  network: Network,
  z: readonly number[],
  seed: number,
  draw: number,
  row: number,
): number[] {
  const { uniform } = seededRandom((seed + Math.imul(0x9e3779b9, draw) + Math.imul(0x85ebca6b, row + 1)) >>> 0);
  if (network.loss === 'squared-error') return z.map(() => (uniform() < 0.5 ? -1 : 1));
  const p = softmax(z);
  const place = uniform();
  let [label, below] = [0, at(p, 0, 'p')];
  while (label + 1 < p.length && !(below > place)) {
    label += 1;
    below += at(p, label, 'p');
  }
  return p.map((value, j) => value - Number(j === label));
}
export function softmax(z: readonly number[]): number[] {
  const powers = z.map((value) => Math.exp(value - Math.max(...z)));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((value) => value / sum);
}
