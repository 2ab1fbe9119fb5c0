/** Where results lie, what each says about the machine it was measured on, and how they are written: compact. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { DlAdmmError, info } from 'dladmm';
import { checkWritable, writeFileAtomic } from './internals.js';

export { checkWritable };

export const fromRoot = (path: string): string => fileURLToPath(new URL(path, new URL('../../../', import.meta.url)));

/** The committed result of a benchmark. */
export const resultFile = (name: string): string => fromRoot(`bench/results/${name}.json`);

/** What a measurement depends on beside its settings. */
export type Machine = Readonly<ReturnType<typeof machine>>;

export function machine(threads: number) {
  const { version, blas, kernels, simd } = info();
  const { OPENBLAS_CORETYPE = null, OPENBLAS_L2_SIZE = null } = process.env;
  return {
    threads,
    /** The processor that the kernels which ran were written for, and the configuration of the BLAS. */
    openblasCore: kernels,
    openblasConfig: blas,
    /** The two variables of the environment that change what OpenBLAS does. */
    OPENBLAS_CORETYPE,
    OPENBLAS_L2_SIZE,
    /** Of dladmm's own loops. */
    simd,
    processor: cpus()[0]?.model.trim() ?? '',
    processors: cpus().length,
    node: process.version,
    version,
  };
}

/** The machine in the last line of a table. */
export const machineText = ({ threads, openblasCore, simd, processor, version }: Machine): string =>
  `${threads} threads, OpenBLAS kernel ${openblasCore}, own loops ${simd}, ${processor}, dladmm ${version}`;

/** What a program measured, with the machine: in the object, and in the last line of the text. */
export function measured<T extends object>(threads: number, found: T, ...lines: readonly string[]) {
  const result = { ...found, ...machine(threads) };
  return { result, text: [...lines, machineText(result)].join('\n') };
}

const WIDTH = 360;
const DIGITS = 8;

/** With eight digits of every number: more say nothing of a measurement. */
export const rounded = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, each: unknown) => (typeof each === 'number' ? Number(each.toPrecision(DIGITS)) : each)),
  );

/** JSON in few lines: a long record in one of its own, numbers, short records and fields side by side. */
export function compact(value: unknown, indent = ''): string {
  const line = JSON.stringify(value);
  if (line.length + indent.length <= WIDTH || typeof value !== 'object' || value === null) return line;
  const inner = `${indent} `;
  if (!Array.isArray(value)) {
    const fields = Object.entries(value).map(([key, field]) => `${JSON.stringify(key)}:${compact(field, inner)}`);
    return `{\n${filled(fields, inner)}\n${indent}}`;
  }
  const parts = value.map((each) => compact(each, inner));
  return `[\n${filled(parts, inner, WIDTH / 3)}\n${indent}]`;
}

/** As many parts in a line as there is room for, those that are longer than `side` each in one of its own. */
function filled(parts: readonly string[], indent: string, side = WIDTH): string {
  const lines: string[] = [];
  let open = false;
  for (const part of parts) {
    const short = part.length <= side;
    const joined = `${lines.at(-1)},${part}`;
    if (open && short && !joined.includes('\n') && joined.length <= WIDTH) lines[lines.length - 1] = joined;
    else lines.push(indent + part);
    open = short;
  }
  return lines.join(',\n');
}

export const write = (file: string, text: string): Promise<void> =>
  writeFileAtomic(file, new TextEncoder().encode(text));

/** Writes a result, in place of the one before. */
export const keep = (file: string, result: unknown): Promise<void> => write(file, `${compact(rounded(result))}\n`);

/** What an earlier run has left, or undefined where there is none. @throws DlAdmmError for a file that is no JSON */
export async function earlier<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T);
  } catch (cause) {
    throw new DlAdmmError('ERR_DLADMM_FORMAT', `Could not read ${file}: it is not JSON`, { cause });
  }
}

/** A committed result. @throws DlAdmmError ERR_DLADMM_FILE where it is missing */
export async function result<T>(name: string): Promise<T> {
  const found = await earlier<T>(resultFile(name));
  if (found !== undefined) return found;
  throw new DlAdmmError('ERR_DLADMM_FILE', `Could not read bench/results/${name}.json: run its benchmark first`);
}
