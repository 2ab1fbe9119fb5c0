/** Every program of bench/ runs on today's API. What it measures takes another machine, and hours. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jsonOf } from '../../dist/bench/harness/child.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const datasets = join(root, '../shared/datasets');

/** The least that each can be asked for; FOLDER is one that goes away. */
const LEAST: Readonly<Record<string, string>> = {
  auto: '--sets iris --methods auto,adam --folder FOLDER --out FOLDER/auto.json',
  compare:
    '--name accuracy --dataset digits --layers 64-8-10 --methods dladmm --iterations 2 --out FOLDER/accuracy.json',
  complexity: '--quick --max 128 --samples 32 --dtype float32 --no-svg',
  compress:
    '--dataset digits --cases pruned20,neurons4,int8 --seeds 1 --rounds 1 --steps 1 --retrain 1 --epochs 1 --out FOLDER/compress.json',
  csv: '--rows 2500 --columns 3 --folder FOLDER',
  dead: '--layers 8-6-3 --samples 30 --steps 3 --timed 2 --rounds 1',
  defaults: '--tasks digits --epochs 1 --out FOLDER/defaults.json --svg FOLDER/defaults.svg',
  disk: '--samples 3000 --layers 8-6-3 --full-samples 3000 --full-layers 8-6-3 --memory-mb 500 --full-memory-mb 500 --iterations 1 --folder FOLDER',
  epoch: '--layers 8-6-3 --samples 300 --batch 64 --rounds 1',
  eventloop: '--layers 8-6-3 --samples 300 --seconds 1 --rows 300',
  figures: '--out FOLDER',
  frontier: '--tasks diabetes --methods adam,muon,sisa --budgets 1 --trials 2 --seeds 2 --out FOLDER/frontier.json',
  fullbatch:
    '--data digits --layers 64-8-10 --held-out 200 --iterations 1 --adam-iterations 1 --seeds 1 --methods variable-metric-admm,adam,sigmoid-admm --out FOLDER/fullbatch.json',
  iteration: '--layers 8-6-3 --samples 300 --rounds 1',
  live: '--layers 8-6-3 --samples 300 --rounds 1 --seconds 0.1',
  race: '--dataset digits --layers 64-8-10 --methods adam --epochs 1 --seeds 1 --target .1 --tune --out FOLDER/race.json',
  scaling: '--samples 100 --batches 64 --rounds 1',
  stability: '--epochs 1 --points 50 --seeds 1 --out FOLDER/stability.json',
  tabular: '--tables iris --models dladmm --folder FOLDER --out FOLDER/tabular.json',
};

/** On a graph of the research data, where they are. */
const ON_GRAPHS: Readonly<Record<string, string>> = {
  graph: `--graphs cora --methods adam --seeds 1 --splits 1 --data-dir ${datasets} --out FOLDER --svg FOLDER/graph.svg`,
  sweep: `--graph cora --rounds 1 --data-dir ${datasets}`,
};

const ELSEWHERE: Readonly<Record<string, string>> = {
  approximate: 'approximate.test.ts',
  containers: 'containers.test.ts',
  distributed: 'takes mpirun',
  golden: 'golden.test.ts',
  predict: 'takes packages that it installs itself (--install)',
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dladmm-bench-'));
});
afterAll(() => rm(folder, { recursive: true }));

const resultOf = (name: string, args: string): Promise<object> =>
  jsonOf(name, args.replaceAll('FOLDER', folder).split(' '));

test('every program is here or tested elsewhere', async () => {
  const programs = (await readdir(join(root, 'bench'))).filter((name) => name.endsWith('.ts'));
  const known = [LEAST, ON_GRAPHS, ELSEWHERE].flatMap(Object.keys);
  expect(programs.map((name) => name.slice(0, -3)).sort()).toEqual(known.sort());
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { readonly scripts: object };
  const named = Object.values(scripts).flatMap((script: string) => /dist\/bench\/(\w+)\.js/.exec(script)?.[1] ?? []);
  expect([...new Set(named)].sort()).toEqual(known.sort());
});

describe('a program answers with an object', () => {
  test.each(Object.entries(LEAST))('bench:%s %s', async (name, args) => {
    expect(Object.keys(await resultOf(name, args)).length).toBeGreaterThan(0);
  });

  test.skipIf(!existsSync(join(datasets, 'graphs'))).each(Object.entries(ON_GRAPHS))(
    'bench:%s %s',
    async (name, args) => {
      expect(Object.keys(await resultOf(name, args)).length).toBeGreaterThan(0);
    },
  );
});
