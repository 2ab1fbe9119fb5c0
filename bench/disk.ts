/**
 * What it costs to train from a store on the disk rather than from memory: the time of an epoch, the file in the system's cache (warm)
 * and not (cold), and that of a full-batch iteration which leaves its variables on the disk, as ratios; and the memory that each takes.
 *
 * Every training has a process of its own, and the three ways take turns. Stores of random numbers are made in `--folder` where they are
 * not there yet, and stay. Cold full batches run in a control group of so much more memory than they are allowed that nothing of their file
 * can stay: where no such group may be made they are as warm as memory makes them, and say so. With `--store-only` there are the full
 * batches alone, and no other way than from the store: of more samples than memory has room for.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packSamples } from 'dladmm/data';
import { withMemory } from './containers/group.js';
import type { DiskReply, DiskRequest } from './disk/worker.js';
import { startChild } from './harness/child.js';
import { count, flag, layers, program, say, THREADS, text } from './harness/program.js';
import { measured } from './harness/results.js';
import { byRounds, randomSamples, ratioOf } from './harness/samples.js';
import { median } from './harness/statistics.js';
import { gigabytes, table } from './harness/table.js';

const OPTIONS = {
  layers: layers('784-256-10'),
  samples: count(2_000_000),
  memoryMb: count(1500),
  fullLayers: layers('784-1000-1000-10'),
  fullSamples: count(60_000),
  fullMemoryMb: count(1000),
  fullGroupMb: count(1300),
  iterations: count(3),
  storeOnly: flag,
  rounds: count(1),
  folder: text(tmpdir()),
  threads: THREADS,
};

const BLOCK = 10_000;

async function storeIn(folder: string, widths: readonly number[], samples: number): Promise<string> {
  const path = join(folder, `dladmm-${widths[0]}-${samples}.samples`);
  if (existsSync(path)) return path;
  say(`${path} is made …`);
  async function* blocks() {
    for (let at = 0; at < samples; at += BLOCK) {
      const rows = Math.min(BLOCK, samples - at);
      const { x, labels } = randomSamples(widths, rows);
      yield { x: { data: x, rows, columns: widths[0] ?? 1 }, labels };
    }
  }
  await packSamples(path, blocks());
  return path;
}

/** Leaves nothing of a file in the system's cache, or all of it. */
function cached(path: string, kept: boolean): void {
  const args = kept ? ['of=/dev/null', 'bs=1M'] : ['iflag=nocache', 'count=0'];
  spawnSync('dd', [`if=${path}`, ...args], { stdio: 'ignore' });
}

async function asked(request: DiskRequest, group?: string): Promise<DiskReply> {
  using child = startChild<DiskRequest, DiskReply>('disk/worker', group === undefined ? {} : { group });
  return await child.ask(request); // not disposed of before
}

/** The same training from memory, from the store as it is in the cache, and from the disk. */
async function compared(
  store: string,
  request: DiskRequest & { readonly memory: number },
  rounds: number,
  cold: (request: DiskRequest) => Promise<DiskReply>,
) {
  const { memory: _, ...inMemory } = request;
  const found = await byRounds<DiskReply>(
    [
      () => asked(inMemory),
      () => {
        cached(store, true);
        return asked({ ...request, store });
      },
      () => {
        cached(store, false);
        return cold({ ...request, store });
      },
    ],
    (round) => round < rounds,
  );
  const [memory = [], warm = [], disk = []] = found.map((replies) => replies.map(({ seconds }) => median(seconds)));
  const held = found.map((replies) => Math.max(...replies.map(({ peakRssBytes }) => peakRssBytes)));
  const peak = { inMemoryRssBytes: held[0] ?? 0, peakRssBytes: Math.max(...held.slice(1)) };
  return { seconds: median(memory), warm: ratioOf(warm, memory), cold: ratioOf(disk, memory), ...peak };
}

await program(OPTIONS, async (values) => {
  const { samples, folder, threads, rounds, iterations } = values;
  const options = { layers: values.fullLayers, solver: 'dladmm', threads, iterations } as const;
  const request = { samples: values.fullSamples, memory: values.fullMemoryMb * 1e6, options };
  const fullStore = await storeIn(folder, values.fullLayers, values.fullSamples);
  if (values.storeOnly) {
    const { seconds, peakRssBytes } = await asked({ ...request, store: fullStore });
    const found = { layers: values.fullLayers, samples: values.fullSamples, seconds: median(seconds), peakRssBytes };
    const row = ['dladmm, full batch', found.seconds.toFixed(2), gigabytes(peakRssBytes)];
    return measured(threads, found, table(['training', 'an iteration, s', 'from the store'], [row]));
  }
  const store = await storeIn(folder, values.layers, samples);
  const epochs: Record<string, Awaited<ReturnType<typeof compared>>> = {};
  for (const solver of ['minibatch-admm', 'adam'] as const) {
    const options = { layers: values.layers, solver, threads, iterations: 1 };
    epochs[solver] = await compared(store, { samples, memory: values.memoryMb * 1e6, options }, rounds, asked);
    say(`${solver}: ${JSON.stringify(epochs[solver])}`);
  }
  let grouped = true;
  const full = await compared(fullStore, request, rounds, (request) =>
    withMemory(values.fullGroupMb * 1e6, (group) => asked(request, group)).catch((error) => {
      if (error.code !== 'ERR_DLADMM_FILE') throw error;
      say(error.message);
      grouped = false;
      return asked(request);
    }),
  );
  const worst = (of: 'warm' | 'cold' | 'peakRssBytes') => Math.max(...Object.values(epochs).map((each) => each[of]));
  const rows = Object.entries({ ...epochs, 'dladmm, full batch': full }).map(([name, each]) => [
    ...[name, each.seconds.toFixed(2), each.warm.toFixed(3), each.cold.toFixed(3)],
    ...[gigabytes(each.inMemoryRssBytes), gigabytes(each.peakRssBytes)],
  ]);
  const found = {
    ...{ layers: values.layers, samples, epochs, warm: worst('warm'), cold: worst('cold') },
    peakRssBytes: worst('peakRssBytes'),
    fullBatch: { ...full, ratio: full.cold, grouped, layers: values.fullLayers, samples: values.fullSamples },
  };
  const head = ['training', 'in memory, s', 'warm', 'cold', 'memory', 'from the store'];
  return measured(threads, found, table(head, rows));
});
