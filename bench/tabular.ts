/**
 * Tables as people have them, by the defaults alone: `fit(path, { target })`, beside scikit-learn's default models after the usual
 * ColumnTransformer. Both read the same files, both are judged on the same rows, which nothing was chosen on; seconds hold
 * reading, preparation and training. Takes Debian's python3-sklearn and python3-pandas. Writes bench/results/tabular.json.
 */
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startChild } from './harness/child.js';
import { file, program, say, some, THREADS, text as textOption, told } from './harness/program.js';
import { checkWritable, fromRoot, keep, machine, machineText, resultFile } from './harness/results.js';
import { table } from './harness/table.js';
import type { Ours } from './tabular/ours.js';
import { type Files, TABLES, type TableName, writeTable } from './tabular/tables.js';

const MODELS = ['mlp', 'hist', 'linear'] as const;

const OPTIONS = {
  tables: some(Object.keys(TABLES) as TableName[]),
  models: told(some(MODELS), 'of scikit-learn: a perceptron, boosted trees, a linear model'),
  dataDir: told(textOption('../shared/datasets'), 'holds tabular/ and mnist/'),
  folder: told(textOption(join(tmpdir(), 'dladmm-tables')), 'where the tables are written'),
  python: textOption('/usr/bin/python3'),
  out: file,
};

interface Row {
  readonly table: TableName;
  readonly model: string;
  readonly seconds: number;
  readonly [score: string]: string | number;
}

async function peers(python: string, files: Files, models: readonly string[]): Promise<readonly Omit<Row, 'table'>[]> {
  const program = fromRoot('bench/tabular/peers.py');
  const args = [program, files.train, files.test, files.target, files.task, models.join()];
  const { stdout } = await promisify(execFile)(python, args, { maxBuffer: 2 ** 24 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Omit<Row, 'table'>);
}

async function ours(files: Files): Promise<Ours> {
  using child = startChild<Files, Ours>('tabular/ours');
  return await child.ask(files);
}

const SCORES = ['accuracy', 'rocAuc', 'logLoss', 'r2', 'rmse'] as const;
const shown = (score: string | number | undefined): string =>
  typeof score !== 'number' ? '' : Math.abs(score) >= 100 ? score.toFixed(0) : score.toFixed(4);

await program(OPTIONS, async ({ tables, models, dataDir, folder, python, ...given }) => {
  const out = given.out ?? resultFile('tabular');
  await checkWritable(out);
  const threads = THREADS.read(THREADS.fallback ?? '1', '--threads');
  const rows: Row[] = [];
  for (const name of tables) {
    const files = await writeTable(name, dataDir, folder);
    const { seconds, scores, report, peakBytes } = await ours(files);
    say(`${name}\n${report}\n`);
    rows.push({ table: name, model: 'dladmm', seconds, peakBytes, ...scores });
    if (models.length > 0)
      rows.push(...(await peers(python, files, models)).map((row) => ({ table: name, ...row }) as Row));
    await keep(out, { ...machine(threads), rows });
  }
  const lines = rows.map((row) => [
    row.table,
    row.model,
    row.seconds.toFixed(2),
    ...SCORES.map((name) => shown(row[name])),
  ]);
  const text = `${table(['table', 'model', 'seconds', ...SCORES], lines)}\n${machineText(machine(threads))}`;
  return { result: rows, text };
});
