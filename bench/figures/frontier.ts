/** The frontier in a picture: at every budget the best of our rows, the default of ours and Adam over the best of all peers. */
import { seedsOf, TARGETS, TASKS, type TaskName } from '../frontier/protocol.js';
import { along, coloured, figure, lines, logAlong, type TopLevelSpec } from '../harness/figures.js';
import { median } from '../harness/statistics.js';
import { combinations } from '../harness/study.js';

/** What a method had on the test part of a task, a seed each, within a budget. */
export interface Judged {
  readonly task: TaskName;
  readonly method: string;
  /** 0 of what only tells a pace. */
  readonly budget: number;
  readonly test?: readonly (number | null)[];
}

const OURS = 'minibatch-admm';

/** Losses, and the errors of accuracies: the less the better. */
const missed = ({ task, test = [] }: Judged): number => {
  const middle = median(seedsOf(task, test));
  return TARGETS[task].score === 'accuracy' ? 1 - middle : middle;
};

export function frontierOf(runs: readonly Judged[]): TopLevelSpec {
  const judged = runs.filter(({ budget, test }) => budget > 0 && test !== undefined);
  const cells = combinations({ task: TASKS, budget: [...new Set(judged.map(({ budget }) => budget))] });
  const values = cells.flatMap(({ task, budget }) => {
    const here = judged.filter((each) => each.task === task && each.budget === budget);
    const least = (which: (method: string) => boolean) =>
      Math.min(...here.filter(({ method }) => which(method)).map(missed));
    const peer = least((method) => !method.startsWith(OURS));
    const judge = TARGETS[task].score === 'accuracy' ? 'error' : 'loss';
    return Object.entries({
      'mini-batch dlADMM, the best of four rows': least((method) => method.startsWith(OURS)),
      'mini-batch dlADMM as it stands': least((method) => method === OURS),
      'the best of ten peers': peer,
      adam: least((method) => method === 'adam'),
    }).flatMap(([line, score]) =>
      Number.isFinite(score) ? [{ task: `${task}: ${judge}`, budget, line, score: score / peer }] : [],
    );
  });
  return figure({
    data: { values },
    facet: { field: 'task', type: 'nominal', title: null, sort: null },
    columns: 4,
    spec: lines({
      size: [170, 150],
      point: 15,
      x: logAlong('budget', {
        title: 'budget, epochs of Adam',
        scale: { domain: [1, 16] },
        axis: { values: [1, 2, 4, 8, 16], format: '~g' },
      }),
      y: along('score', { title: 'over the best peer', scale: { domain: [0.6, 1.6] } }),
      color: coloured('line', { legend: { labelLimit: 400, orient: 'bottom', columns: 2 }, sort: null }),
    }),
  });
}
