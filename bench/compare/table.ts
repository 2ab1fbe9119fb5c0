import { table } from '../harness/table.js';
import { bestOf, type CompareCurve, type ComparePoint, milestones } from './curves.js';

type Shown = Pick<CompareCurve, 'method' | 'status' | 'points'>;

const reached = ({ testAccuracy, seconds }: ComparePoint): string =>
  `${Number.isFinite(testAccuracy) ? testAccuracy.toFixed(4) : '-'} ${seconds.toFixed(2).padStart(9)} s`;

/** Methods beside each other; the others follow below. */
const ABREAST = 5;

/** Test accuracy and seconds at chosen iterations, at the best and at the last one. */
export function tableOf(curves: readonly Shown[]): string {
  const longest = Math.max(0, ...curves.map(({ points }) => points.length));
  const blocks = Array.from({ length: Math.ceil(curves.length / ABREAST) }, (_, i) =>
    blockOf(curves.slice(i * ABREAST, (i + 1) * ABREAST), longest),
  );
  return blocks.join('\n\n');
}

function blockOf(curves: readonly Shown[], longest: number): string {
  const row = (head: string, cell: (curve: Shown) => string): readonly string[] => [head, ...curves.map(cell)];
  const at = (point: ComparePoint | undefined): string => (point ? reached(point) : '-');
  const named = (point: ComparePoint | undefined): string =>
    point ? `${`(${point.iteration})`.padEnd(7)}${reached(point)}` : '-';
  return table(
    row('iteration', ({ method }) => method),
    [
      ...milestones(longest).map((iteration) =>
        row(String(iteration), ({ points }) => at(points.find((point) => point.iteration === iteration))),
      ),
      row('best', ({ points }) => named(bestOf(points))),
      row('last', ({ points }) => named(points.at(-1))),
      row('ended', ({ status }) => status),
    ],
  );
}
