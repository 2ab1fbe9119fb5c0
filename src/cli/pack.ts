import { SAMPLES } from '../formats/sample-file.js';
import { pick } from '../network/schema.js';
import { PACK, type PackOptions, packSamples } from '../training/pack.js';
import type { TrainingData } from '../training/result.js';
import { checkTarget, filesOf, type SplitFlags, trainingSource } from './samples.js';
import type { Terminal } from './terminal.js';

export type PackFlags = Omit<SplitFlags, 'seed' | 'weights'> &
  PackOptions & { readonly out: string; readonly json?: boolean };

/** `dladmm pack`. @throws DlAdmmError whatever reading and writing can cause */
export async function packCommand(flags: PackFlags, { out, signal }: Terminal): Promise<number> {
  const { data, labels, out: path, json } = flags;
  await checkTarget(path, filesOf(data, labels), SAMPLES);
  const { data: found, front } = await trainingSource(
    { ...flags, seed: 1, whole: true, testShare: 0 } as SplitFlags,
    signal,
  );
  const { test: _, ...samples } = found as TrainingData;
  const rows = 'x' in (found as object) ? samples : found;
  const {
    header: __,
    delimiter: ___,
    decimal: ____,
    ...options
  } = { ...pick(PACK, flags), ...front } as Record<string, unknown>;
  const packed = await packSamples(path, rows as never, { ...options, signal } as PackOptions);
  const text = `${packed.rows} samples of ${packed.inputs} inputs, ${packed.task}, in ${(packed.bytes / 1e6).toFixed(1)} MB: ${path}`;
  await out(json ? `${JSON.stringify(packed)}\n` : `${text}\n`);
  return 0;
}
