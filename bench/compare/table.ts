import { bestOf, type CompareCurve, type ComparePoint, milestones } from './curves.js';

const FIRST = 12;
const WIDTH = 27;

const reached = ({ testAccuracy, seconds }: ComparePoint): string =>
  `${testAccuracy.toFixed(4)} ${seconds.toFixed(2).padStart(9)} s`;

/** Test accuracy and seconds at chosen iterations, at the best and at the last one. */
export function tableOf(curves: readonly CompareCurve[]): string {
  const longest = Math.max(0, ...curves.map(({ points }) => points.length));
  const row = (head: string, cell: (curve: CompareCurve) => string): string =>
    `${head.padEnd(FIRST)}${curves.map((curve) => cell(curve).padStart(WIDTH)).join('')}`;
  const named = (point: ComparePoint | undefined): string =>
    point ? `${`(${point.iteration})`.padEnd(7)}${reached(point)}` : '-';
  return [
    row('iteration', ({ method }) => method),
    ...milestones(longest).map((iteration) =>
      row(String(iteration), ({ points }) => {
        const point = points.find((at) => at.iteration === iteration);
        return point ? reached(point) : '-';
      }),
    ),
    row('best', ({ points }) => named(bestOf(points))),
    row('last', ({ points }) => named(points.at(-1))),
    row('ended', ({ status }) => status),
  ].join('\n');
}
