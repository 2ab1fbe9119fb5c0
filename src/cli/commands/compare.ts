/** `dladmm start` beside others: which solver reaches what accuracy in which time, from a stored run that `--compare` repeats. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { info } from '../../core/info.js';
import { packageFolder } from '../../core/package.js';
import type { Dataset } from '../../datasets/dataset.js';
import { writeFileAtomic } from '../../formats/atomic-file.js';
import { hiddenFor } from '../../solvers/auto.js';
import { train } from '../../training/fit.js';
import type { Terminal } from '../terminal.js';

/** Seconds of training and test accuracy, after each epoch or iteration. */
type Point = readonly [seconds: number, accuracy: number];

interface Comparison {
  readonly dataset: string;
  readonly layers: string;
  readonly machine: string;
  readonly solvers: readonly { readonly name: string; readonly points: readonly Point[] }[];
}

/** Each as it stands; who is slower is left after so many seconds. */
const SOLVERS = [
  { name: 'mini-batch dlADMM, 10 epochs', options: { solver: 'minibatch-admm', epochs: 10 } },
  { name: 'Adam, 10 epochs', options: { solver: 'adam', epochs: 10 } },
  { name: 'full-batch dlADMM, 100 iterations', options: { solver: 'dladmm', iterations: 100 } },
] as const;
const SECONDS = 120;
const GOALS = [0.8, 0.85, 0.88] as const;

const STORED = 'data/start.json';

/** The run that came with the package; undefined where there is none of this set. */
export async function storedComparison(dataset: string): Promise<Comparison | undefined> {
  const text = await readFile(join(packageFolder(), STORED), 'utf8').catch(() => undefined);
  const stored = text === undefined ? undefined : (JSON.parse(text) as Comparison);
  return stored?.dataset === dataset ? stored : undefined;
}

/** Trains by each solver in its turn; evaluation is left out of the seconds. */
export async function comparisonOn(set: Dataset, threads: number, terminal: Terminal): Promise<Comparison> {
  const { x } = set.train;
  const hidden = hiddenFor({ samples: x.rows, features: x.columns });
  const outputs = set.task === 'classification' ? set.classes.length : 1;
  const layers = [x.columns, ...hidden, outputs];
  const solvers: { name: string; points: Point[] }[] = [];
  for (const { name, options } of SOLVERS) {
    terminal.err(`${name} ...\n`);
    const points: Point[] = [];
    const training = train({ ...set.train, test: set.test }, { ...options, layers, threads, signal: terminal.signal });
    let seconds = 0;
    for await (const record of training) {
      seconds += record.seconds;
      points.push([Number(seconds.toFixed(2)), record.test?.accuracy ?? 0]);
      if (seconds > SECONDS) break;
    }
    training.result.model.close();
    solvers.push({ name, points });
  }
  const { kernels, version } = info();
  const machine = `${threads} threads, OpenBLAS kernel ${kernels}, ${cpus()[0]?.model.trim()}, dladmm ${version}`;
  return { dataset: set.name, layers: layers.join('-'), machine, solvers };
}

/** Writes a comparison, to be shown by later starts where it is written into the package. */
export const writeComparison = (path: string, comparison: Comparison): Promise<void> =>
  writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(comparison)}\n`));

const percent = (accuracy: number): string => `${(100 * accuracy).toFixed(1)} %`;

/** Seconds to each of some accuracies, and the best one. */
export function comparisonText({ dataset, layers, machine, solvers }: Comparison, how: string): string {
  const rows = solvers.map(({ name, points }) => {
    const best = points.reduce((most, [, accuracy]) => Math.max(most, accuracy), 0);
    const times = GOALS.map((goal) => {
      const first = points.find(([, accuracy]) => accuracy >= goal);
      return first ? `${first[0].toFixed(1)} s` : '-';
    });
    return [name, ...times, `${percent(best)} in ${points.at(-1)?.[0].toFixed(1)} s`];
  });
  const table = [['', ...GOALS.map((goal) => `${100 * goal} %`), 'best'], ...rows];
  const widths = table[0]?.map((_, j) => Math.max(...table.map((row) => row[j]?.length ?? 0))) ?? [];
  const lines = table.map((row) => `  ${row.map((cell, j) => cell.padEnd(widths[j] ?? 0)).join('  ')}`.trimEnd());
  return [`${dataset}, ${layers}, test accuracy by seconds of training (${how}; ${machine}):`, ...lines, ''].join('\n');
}
