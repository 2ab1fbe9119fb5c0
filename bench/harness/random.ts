/** Steele, Lea and Flood's SplitMix, 32 bits: numbers that depend on a seed alone. */
import { spread } from './internals.js';

export function seededRandom(seed: number): { uniform(): number; normal(): number } {
  const words = spread(seed);
  const uniform = (): number => words.next().value / 2 ** 32;
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}
