import { throwIfAborted } from '../core/abort.js';
import { checkOptions, flag, given, whole } from '../core/checks.js';
import { type Csr, inParts, inSteps } from '../tensor/csr.js';
import { paced } from '../tensor/inputs.js';
import { formatError } from './bytes.js';
import { bytesReader, fileReader } from './reader.js';

/** What `readLibsvm` accepts besides the path. */
export interface LibsvmOptions {
  /** Columns of the matrix. Default: as many as the largest index asks for; the rows of a test set need those of the training set. */
  readonly columns?: number;
  /** Whether the first column is 0, and not 1. Default: whether an index is 0. */
  readonly zeroBased?: boolean;
  readonly signal?: AbortSignal;
}

/** Sparse samples with the number that each line begins with: a class or a value. */
export interface LibsvmSamples {
  readonly x: Csr;
  readonly targets: Float64Array;
  /** Whether the first column was 0 in the text. */
  readonly zeroBased: boolean;
}

const LARGEST = 2 ** 31 - 1;
const [TAB, NEWLINE, RETURN, SPACE, HASH, COLON, ZERO, NINE] = [9, 10, 13, 32, 35, 58, 48, 57] as const;

function checkLibsvm(options: LibsvmOptions): void {
  checkOptions(options, ['columns', 'zeroBased', 'signal']);
  flag(given(options.zeroBased, false), 'options.zeroBased');
  whole(given(options.columns, 1), 1, LARGEST, 'options.columns');
}

async function counted(bytes: Uint8Array, byte: number): Promise<number> {
  let count = 0;
  const look = (part: Uint8Array): void => {
    for (let at = part.indexOf(byte); at >= 0; at = part.indexOf(byte, at + 1)) count += 1;
  };
  await inSteps(inParts(bytes.length, (first, end) => look(bytes.subarray(first, end))));
  return count;
}

const isSpace = (byte: number | undefined): boolean => byte === SPACE || byte === TAB || byte === RETURN;

async function libsvmSamples(bytes: Uint8Array, name: string, options: LibsvmOptions = {}): Promise<LibsvmSamples> {
  checkLibsvm(options);
  const { columns: told, zeroBased, signal } = options;
  const most = await counted(bytes, COLON);
  const [indices, data] = [new Int32Array(most), new Float64Array(most)];
  const targets: number[] = [];
  const indptr: number[] = [0];
  let [entries, largest, line] = [0, -1, 0];
  let zero = zeroBased ?? false;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const refuse = (what: string, from: number, to: number): Error =>
    formatError(
      name,
      `line ${line}: expected ${what} but found ${JSON.stringify(text.toString('latin1', from, Math.min(to, from + 40)))}`,
    );
  /** Where the word ends that begins at `at`. */
  const endOf = (at: number, end: number): number => {
    let to = at;
    while (to < end && !isSpace(bytes[to])) to += 1;
    return to;
  };
  const numberAt = (from: number, to: number, what: string): number => {
    const word = text.toString('latin1', from, to);
    const value = /^[-+.\deE]+$/.test(word) ? Number(word) : Number.NaN;
    if (!Number.isFinite(value)) throw refuse(what, from, to);
    return value;
  };
  const entryAt = (from: number, to: number, before: number): number => {
    let [at, index] = [from, 0];
    for (; at < to && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE; at += 1) {
      index = Math.min(LARGEST + 1, 10 * index + (bytes[at] as number) - ZERO);
    }
    if (at === from || bytes[at] !== COLON) throw refuse('an entry index:value', from, to);
    if (index > LARGEST) throw refuse(`an index of at most ${LARGEST}`, from, to);
    if (index === 0 && zeroBased === false) throw refuse('an index from 1 on', from, to);
    if (index <= before) throw refuse(`an index above ${before}, the one before,`, from, to);
    indices[entries] = index;
    data[entries] = numberAt(at + 1, to, 'an entry whose value is a finite number');
    entries += 1;
    return index;
  };
  const rest = paced();
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    const last = newline < 0 ? bytes.length : newline;
    line += 1;
    const hash = bytes.subarray(start, last).indexOf(HASH);
    const end = hash < 0 ? last : start + hash;
    let at = start;
    let before = -1;
    let begun = false;
    for (;;) {
      while (at < end && isSpace(bytes[at])) at += 1;
      if (at >= end) break;
      const to = endOf(at, end);
      if (!begun) targets.push(numberAt(at, to, 'a line that begins with a class or a value, a finite number,'));
      else before = entryAt(at, to, before);
      if (before === 0) zero = true;
      begun = true;
      at = to;
    }
    if (begun) {
      indptr.push(entries);
      largest = Math.max(largest, before);
    }
    start = last + 1;
    const pause = rest(1);
    if (pause) {
      await pause;
      throwIfAborted(signal, `Reading ${name}`);
    }
  }
  if (targets.length === 0) throw formatError(name, 'expected at least one sample but found none');
  // Indices are counted from 1, unless one of them is 0.
  const fromZero = (first: number, end: number): void => {
    for (let k = first; k < end; k += 1) indices[k] = (indices[k] as number) - 1;
  };
  if (!zero) await inSteps(inParts(entries, fromZero));
  const wanted = Math.max(1, largest + (zero ? 1 : 0));
  if (told !== undefined && told < wanted)
    throw formatError(name, `expected indices for ${told} columns but they need ${wanted}`);
  return {
    x: {
      data: await narrowed(data.subarray(0, entries)),
      indices: indices.subarray(0, entries),
      indptr: Float64Array.from(indptr),
      rows: targets.length,
      columns: told ?? wanted,
    },
    targets: Float64Array.from(targets),
    zeroBased: zero,
  };
}

/** In half the memory, where that holds every value. */
async function narrowed(data: Float64Array): Promise<Float32Array | Float64Array> {
  const single = new Float32Array(data.length);
  let isExact = true;
  const look = (first: number, end: number): void => {
    const part = data.subarray(first, end);
    single.set(part, first);
    isExact &&= part.every((value) => Math.fround(value) === value);
  };
  await inSteps(inParts(data.length, look));
  return isExact ? single : data;
}

/** As {@link readLibsvm}, for a file's content; `name` is how errors call it. */
export const parseLibsvm = bytesReader(libsvmSamples, 'text');

/**
 * Reads the text of libsvm and svmlight: of each sample a line with its class or value, and then `index:value` for what is not zero, the
 * indices ascending. They are counted from 1, or from 0 where one of them is 0. What stands behind `#` is passed over.
 *
 * @throws ERR_DLADMM_FORMAT with the line, for indices that do not ascend too; ERR_DLADMM_FILE, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED,
 *   ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export const readLibsvm = fileReader(parseLibsvm, checkLibsvm, 'text', 'gzip');
