/** A picture of what a model is worth as it gets smaller, as SVG that needs nothing else. */
import type { Ours } from '../formats/atomic-file.js';
import { number } from './html.js';

const HEAD = '<svg xmlns="http://www.w3.org/2000/svg" class="dladmm" ';

/** What every picture of ours begins with, so that no other file is overwritten by one. */
export const PICTURE: Ours = { begins: HEAD.slice(8), what: 'picture of dladmm' };

/** A round of pruning: what stays, and what it is worth on what is held out. */
export interface Round {
  readonly kind: 'admm' | 'retraining';
  readonly weights: number;
  readonly validation?: { readonly loss: number; readonly accuracy?: number | undefined };
}

interface Point {
  readonly weights: number;
  readonly score: number;
}

/** After each round that left fewer weights; where all have an accuracy, by that, else by the loss. */
function pathOf(history: readonly Round[]): { readonly title: string; readonly points: readonly Point[] } {
  let least = Number.POSITIVE_INFINITY;
  const rounds = history.filter(({ kind, weights }) => {
    const fewer = kind === 'retraining' && weights < least;
    if (fewer) least = weights;
    return fewer;
  });
  const by = (title: string, score: (round: Round) => number | undefined) => ({
    title,
    points: rounds.flatMap((round) => {
      const value = score(round);
      return value === undefined ? [] : [{ weights: round.weights, score: value }];
    }),
  });
  const accuracy = by('accuracy on what is held out, %', ({ validation }) =>
    validation?.accuracy === undefined ? undefined : 100 * validation.accuracy,
  );
  return accuracy.points.length > 0 ? accuracy : by('loss on what is held out', ({ validation }) => validation?.loss);
}

/** Round numbers from at most `low` to at least `high`, the last of them beyond. */
function ticksOf(low: number, high: number): readonly number[] {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = power * ([1, 2, 5, 10].find((factor) => span / (factor * power) <= 5) as number);
  const first = Math.floor(low / step);
  const count = Math.max(1, Math.ceil(high / step) - first);
  return Array.from({ length: count + 1 }, (_, i) => (first + i) * step);
}

const [WIDTH, HEIGHT] = [560, 320];
const [LEFT, RIGHT, TOP, BOTTOM] = [70, 20, 20, 50];

/**
 * Score against size along the rounds of pruning, from many weights on the left to few on the right, each step the same factor as wide.
 * Undefined where nothing was held out, or no weights went.
 */
export function pictureOfSizes(history: readonly Round[]): string | undefined {
  const { title, points } = pathOf(history);
  const [first] = points;
  if (first === undefined) return undefined;
  const last = points.at(-1) as Point;
  const scores = points.map(({ score }) => score);
  const ticks = ticksOf(Math.min(...scores), Math.max(...scores));
  const [low, high] = [ticks[0] as number, ticks.at(-1) as number];
  const wide = Math.log(first.weights / last.weights) || 1;
  const across = (weights: number) =>
    Number((LEFT + (Math.log(first.weights / weights) / wide) * (WIDTH - LEFT - RIGHT)).toFixed(1));
  const up = (score: number) => Number((TOP + ((high - score) / (high - low)) * (HEIGHT - TOP - BOTTOM)).toFixed(1));
  const floor = HEIGHT - BOTTOM;
  const places = points.map(({ weights, score }) => `${across(weights)},${up(score)}`);
  let free = Number.NEGATIVE_INFINITY;
  // A label only where the one before leaves it room.
  const labelled = points.filter(({ weights }) => {
    const room = across(weights) - free >= 45;
    if (room) free = across(weights);
    return room;
  });
  return [
    `${HEAD}width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}, against the weights that are left</title><rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...ticks.map(
      (tick) =>
        `<path d="M${LEFT} ${up(tick)}H${WIDTH - RIGHT}" stroke="#ddd"/><text x="${LEFT - 6}" y="${up(tick) + 4}" text-anchor="end">${number(tick)}</text>`,
    ),
    ...labelled.map(
      ({ weights }) =>
        `<path d="M${across(weights)} ${floor}v5" stroke="#888"/><text x="${across(weights)}" y="${floor + 18}" text-anchor="middle">${weights}</text>`,
    ),
    `<polyline points="${places.join(' ')}" fill="none" stroke="#0072b2" stroke-width="2"/>`,
    ...points.map(
      ({ weights, score }) =>
        `<circle cx="${across(weights)}" cy="${up(score)}" r="4" fill="#0072b2"><title>${weights} weights: ${number(score)}</title></circle>`,
    ),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">weights that are left</text>`,
    `<text transform="translate(16 ${(TOP + floor) / 2}) rotate(-90)" text-anchor="middle">${title}</text>`,
    '</svg>\n',
  ].join('\n');
}
