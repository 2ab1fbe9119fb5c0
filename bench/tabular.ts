/**
 * Tables as people have them, by the defaults alone: `fit(path, { target })`, beside scikit-learn's default models after the usual
 * ColumnTransformer. Both read the same files, both are judged on the same rows, which nothing was chosen on; seconds hold
 * reading, preparation and training. Takes Debian's python3-sklearn and python3-pandas. Every run is kept in bench/results/tabular.json at
 * once: a later call makes ours again, and of the others what is not there, unless `--anew`.
 */
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startChild } from './harness/child.js';
import { count, file, flag, program, say, some, THREADS, text as textOption, told } from './harness/program.js';
import { fromRoot, machineText, resultFile } from './harness/results.js';
import { studyIn } from './harness/study.js';
import { table } from './harness/table.js';
import type { Ours } from './tabular/ours.js';
import { type Files, TABLES, type TableName, writeTable } from './tabular/tables.js';

const MODELS = ['dladmm', 'mlp', 'hist', 'linear'] as const;

const OPTIONS = {
  tables: some(Object.keys(TABLES) as TableName[]),
  models: told(some(MODELS), 'ours, and of scikit-learn a perceptron, boosted trees and a linear model'),
  dataDir: told(textOption('../shared/datasets'), 'holds tabular/ and mnist/'),
  anew: flag,
  folder: told(textOption(join(tmpdir(), 'dladmm-tables')), 'where the tables are written'),
  patience: told(count(600), 'seconds of processor after which the perceptron is stopped, and judged as it is'),
  python: textOption('/usr/bin/python3'),
  out: file,
};

interface Row {
  readonly table: TableName;
  readonly model: string;
  readonly seconds: number;
  readonly [score: string]: string | number;
}

async function peer(
  python: string,
  files: Files,
  ...rest: readonly [model: string, patience: string]
): Promise<Omit<Row, 'table'>> {
  const args = [fromRoot('bench/tabular/peers.py'), files.train, files.test, files.target, files.task, ...rest];
  const { stdout } = await promisify(execFile)(python, args, { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout) as Omit<Row, 'table'>;
}

const SCORES = ['accuracy', 'rocAuc', 'logLoss', 'r2', 'rmse'] as const;
const shown = (score: string | number | undefined): string =>
  typeof score !== 'number' ? '' : Math.abs(score) >= 100 ? score.toFixed(0) : score.toFixed(4);

await program(OPTIONS, async ({ tables, models, dataDir, folder, python, patience, anew, ...given }) => {
  const out = given.out ?? resultFile('tabular');
  const threads = THREADS.read(THREADS.fallback ?? '1', '--threads');
  const study = await studyIn<object, Row>(out, {}, threads, anew);
  for (const name of tables) {
    const files = await writeTable(name, dataDir, folder);
    for (const model of models) {
      const key = { table: name, model };
      if (model !== 'dladmm') {
        const found = study.find(key) ?? { table: name, ...(await peer(python, files, model, `${patience}`)) };
        await study.put(key, found as Row);
        continue;
      }
      using child = startChild<Files, Ours>('tabular/ours');
      const { seconds, scores, report, peakBytes } = await child.ask(files);
      say(`${name}\n${report}\n`);
      await study.put(key, { ...key, seconds, peakBytes, ...scores });
    }
  }
  const found = study.now();
  const rows = (Object.keys(TABLES) as TableName[]).flatMap((name) => found.runs.filter((each) => each.table === name));
  const lines = rows.map((row) => [
    ...[row.table, `${row.model}${row.stoppedAtEpoch ? ', stopped' : ''}`, row.seconds.toFixed(2)],
    ...SCORES.map((score) => shown(row[score])),
  ]);
  return { result: found, text: `${table(['table', 'model', 'seconds', ...SCORES], lines)}\n${machineText(found)}` };
});
