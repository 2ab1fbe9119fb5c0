/**
 * dlADMM on graph convolutional networks beside Adam, and BADM and SISA on the graphs that BADM's paper would have them on:
 * test accuracy, seconds an iteration and peak memory.
 *
 *     npm run --silent bench:graph -- [--graphs cora,citeseer,coauthor-cs,coauthor-physics,dblp] [--methods dladmm,adam,badm,sisa]
 *                                     [--seeds 20] [--splits 10] [--threads N] [--data-dir FOLDER] [--out FOLDER] [--svg FILE]
 *                                     [--json] [--again]
 *
 * Cora and Citeseer have the split of Planetoid, and the seeds are those of the initialisation. The others are split at
 * random by the seed, 20 nodes of each class to train on, 30 to watch, the rest to test on. The accuracy is that of the
 * last iteration.
 *
 * Writes FOLDER/graph-NAME.json (bench/results) after every run. What it holds already, of the same settings, is not run again
 * unless --again is given, so the work can be done in parts; then docs/graph.svg of all that there is.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DlAdmmError } from 'dladmm';
import { checkWritable, writeFileAtomic } from '#atomic-file';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';
import { specificationOf } from './graph/chart.js';
import type { LoadReply, RunReply, RunRequest } from './graph/messages.js';
import { type GraphResult, missingSeeds, rowsOf, tableOf, withRun } from './graph/result.js';
import {
  GRAPHS,
  type GraphName,
  METHODS,
  type Method,
  methodsFor,
  SETTINGS,
  STANDARD_SPLIT,
  settingText,
} from './graph/settings.js';
import { startChild } from './iteration/child.js';
import { countOf } from './tasks/options.js';

const { values } = parseArgs({
  options: {
    graphs: { type: 'string', default: GRAPHS.join(',') },
    methods: { type: 'string' },
    seeds: { type: 'string', default: '20' },
    splits: { type: 'string', default: '10' },
    threads: { type: 'string', default: String(Math.min(availableParallelism(), 64)) },
    'data-dir': { type: 'string' },
    out: { type: 'string' },
    svg: { type: 'string' },
    json: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const fromRoot = (path: string): string => fileURLToPath(new URL(path, new URL('../../', import.meta.url)));
const folder = values.out ?? fromRoot('bench/results');
const fileOf = (graph: GraphName): string => join(folder, `graph-${graph}.json`);

try {
  await main();
} catch (error) {
  if (!(error instanceof DlAdmmError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const graphs = someOf(values.graphs, GRAPHS, '--graphs');
  const methods = values.methods === undefined ? undefined : someOf(values.methods, METHODS, '--methods');
  const runs = { seeds: countOf(values.seeds, '--seeds'), splits: countOf(values.splits, '--splits') };
  const threads = countOf(values.threads, '--threads');
  const svg = values.svg ?? fromRoot('docs/graph.svg');
  for (const file of [svg, ...graphs.map(fileOf)]) await checkWritable(file);
  for (const graph of graphs) {
    const count = STANDARD_SPLIT.includes(graph) ? runs.seeds : runs.splits;
    for (const method of methods ?? methodsFor(graph)) await measure(graph, method, count, threads);
  }
  const measured = await all(graphs);
  console.log(values.json ? JSON.stringify(measured.flatMap(rowsOf)) : tableOf(measured));
  const charts = await loadCharts();
  if (charts === undefined) return say(HOW_TO_HAVE_CHARTS);
  await write(svg, await charts(specificationOf(await all(GRAPHS))));
  say(`wrote ${svg}`);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for a name that is not known */
function someOf<T extends string>(list: string, known: readonly T[], name: string): readonly T[] {
  return [...new Set(list.split(',').map((part) => part.trim()))].map((part) => {
    const found = known.find((candidate) => candidate === part);
    if (found !== undefined) return found;
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      `Expected some of ${known.join(', ')} for ${name} but received ${JSON.stringify(part)}`,
    );
  });
}

async function all(graphs: readonly GraphName[]): Promise<readonly GraphResult[]> {
  const found = await Promise.all(graphs.map(earlier));
  return found.filter((result) => result !== undefined);
}

async function earlier(graph: GraphName): Promise<GraphResult | undefined> {
  const text = await readFile(fileOf(graph), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as GraphResult);
}

async function measure(graph: GraphName, method: Method, count: number, threads: number): Promise<void> {
  const setting = SETTINGS[method];
  const text = settingText(setting);
  const before = await earlier(graph);
  const seeds = missingSeeds(before && !values.again ? before : { methods: [] }, method, text, count);
  if (seeds.length === 0) return;
  const trainer = startChild<RunRequest, LoadReply | RunReply>('../graph/trainer.js');
  try {
    const dataDir = values['data-dir'];
    const load: RunRequest = { kind: 'load', graph, ...(dataDir !== undefined && { dataDir }) };
    const { core, ...facts } = (await trainer.ask(load)) as LoadReply;
    const split = STANDARD_SPLIT.includes(graph) ? 'standard' : 'random';
    let result: GraphResult = { methods: [], ...before, graph, ...facts, split, threads, openblasCore: core };
    for (const seed of seeds) {
      const { run, peakRssBytes } = (await trainer.ask({ kind: 'run', setting, seed, threads })) as RunReply;
      say(
        `${graph} ${method} ${seed}: test ${run.testAccuracy.toFixed(4)}, ${run.secondsPerIteration.toFixed(4)} s an iteration`,
      );
      result = withRun(result, { method, setting: text, peakRssBytes }, run);
      await write(fileOf(graph), `${JSON.stringify(result, undefined, 1)}\n`);
    }
  } finally {
    trainer.end();
  }
}

function write(file: string, text: string): Promise<void> {
  return writeFileAtomic(file, new TextEncoder().encode(text));
}
