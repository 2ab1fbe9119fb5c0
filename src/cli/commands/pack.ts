import { areArrays } from '../../datasets/file.js';
import { isGzip } from '../../formats/bytes.js';
import { DIALECT } from '../../formats/csv.js';
import { edgesOf } from '../../formats/kinds.js';
import { SAMPLES } from '../../formats/sample-file.js';
import { pick, SEED } from '../../network/schema.js';
import { PACK, type PackOptions, packSamples } from '../../training/pack.js';
import { reading } from '../progress.js';
import { checkTarget, filesOf, LAST, type SplitFlags, trainingSource } from '../samples.js';
import { isLibsvm } from '../sparse.js';
import type { Terminal } from '../terminal.js';
import { checkWithout } from '../without.js';

export type PackFlags = Omit<SplitFlags, 'seed' | 'weights'> &
  PackOptions & { readonly out: string; readonly json?: boolean };

/** `dladmm pack`. @throws DlAdmmError whatever reading and writing can cause */
export async function packCommand(flags: PackFlags, terminal: Terminal): Promise<number> {
  const { out, signal } = terminal;
  const { data, labels, out: path, json } = flags;
  await checkTarget(path, filesOf(data, labels), SAMPLES);
  const packed = await reading(
    flags,
    terminal,
    async (onBytes) => {
      const table = labels === undefined && !isLibsvm(data) && (await isTable(data));
      const given = table ? tableOf(flags) : await arraysOf({ ...flags, onBytes }, signal);
      return packSamples(path, given.rows, { ...given.options, signal });
    },
    'packing',
  );
  const text = `${packed.rows} samples of ${packed.inputs} inputs, ${packed.task}, in ${(packed.bytes / 1e6).toFixed(1)} MB: ${path}`;
  const notes = packed.warnings.map((warning) => `note: ${warning}`);
  await out(json ? `${JSON.stringify(packed)}\n` : `${[text, ...notes].join('\n')}\n`);
  return 0;
}

/** Whether a file is a table that is read as it is packed. */
async function isTable(path: string): Promise<boolean> {
  const start = await edgesOf(path);
  return start !== undefined && !isGzip(start) && !areArrays(start) && filesOf(path).length > 0;
}

const tableOf = (flags: PackFlags) => ({
  rows: flags.data,
  options: { ...pick(PACK, flags), target: flags.target ?? LAST } as PackOptions,
});

/** What has been read before it is packed. */
async function arraysOf(flags: PackFlags, signal: AbortSignal) {
  const { data, front } = await trainingSource({ ...flags, seed: SEED, whole: true }, signal);
  if (typeof data === 'string' || !('x' in data)) {
    // It has been read.
    const options = Object.entries(pick(PACK, flags)).filter(([name]) => !Object.hasOwn(DIALECT, name));
    return { rows: data, options: { ...Object.fromEntries(options), ...front } as PackOptions };
  }
  checkWithout(['weights'], flags, flags.data, 'it names a column of a table');
  const { test: _, ...rows } = data;
  return { rows, options: pick({ precision: PACK.precision }, flags) as PackOptions };
}
