/**
 * How long it takes to read a large CSV file, how much memory, beside that of its numbers, and how long the event loop is held up at most; and
 * the same of packing it into a store. The file of random numbers is made in `--folder` where it is not there yet, and stays.
 */
import { createWriteStream, existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { packSamples, readCsv } from 'dladmm/data';
import { availableThreads } from './harness/internals.js';
import { count, flag, program, say, text } from './harness/program.js';
import { seededRandom } from './harness/random.js';
import { measured } from './harness/results.js';
import { gigabytes, table } from './harness/table.js';
import { ticker } from './harness/ticker.js';

const OPTIONS = {
  rows: count(5_000_000),
  columns: count(30, 2),
  folder: text(tmpdir()),
  pack: flag,
};

const TARGET = 'y';

function* lines(rows: number, columns: number): Generator<string> {
  const random = seededRandom(1);
  yield `${[...Array.from({ length: columns - 1 }, (_, j) => `x${j}`), TARGET].join()}\n`;
  for (let at = 0; at < rows; at += 1000) {
    let part = '';
    for (let i = at; i < Math.min(at + 1000, rows); i += 1) {
      for (let j = 1; j < columns; j += 1) part += `${random.uniform().toFixed(7)},`;
      part += random.uniform() < 0.5 ? 'no\n' : 'yes\n';
    }
    yield part;
  }
}

async function fileIn(folder: string, rows: number, columns: number): Promise<string> {
  const path = join(folder, `dladmm-${rows}-${columns}.csv`);
  if (existsSync(path)) return path;
  say(`${path} is made …`);
  await pipeline(Readable.from(lines(rows, columns)), createWriteStream(`${path}.part`));
  await rename(`${path}.part`, path);
  return path;
}

await program(OPTIONS, async ({ rows, columns, folder, pack }) => {
  const path = await fileIn(folder, rows, columns);
  const store = `${path}.samples`;
  const { ticks, stop } = ticker(1);
  const began = performance.now();
  let read = rows;
  if (pack) {
    ({ rows: read } = await packSamples(store, path, { target: TARGET }));
  } else {
    const { x } = await readCsv(path, { target: TARGET });
    read = (x as { readonly rows: number }).rows;
  }
  const seconds = (performance.now() - began) / 1000;
  stop();
  if (pack) await rm(store);
  if (read !== rows) throw new Error(`${read} rows were read of ${rows}`);
  const peakRssBytes = process.resourceUsage().maxRSS * 1024;
  const numbersBytes = rows * (columns - 1) * Float64Array.BYTES_PER_ELEMENT;
  const longestTickMs = ticks.reduce((most, { late }) => Math.max(most, late), 0);
  const { size: fileBytes } = await stat(path);
  const found = { pack, rows, columns, fileBytes, seconds, longestTickMs, numbersBytes, peakRssBytes };
  const head = ['', 'file', 'seconds', 'longest turn, ms', 'peak memory', 'over the numbers'];
  const words = [pack ? 'packed' : 'read', gigabytes(fileBytes), seconds.toFixed(1), longestTickMs.toFixed(1)];
  const memory = [gigabytes(peakRssBytes), (peakRssBytes / numbersBytes).toFixed(2)];
  return measured(availableThreads(), found, table(head, [[...words, ...memory]]));
});
