import { dirname } from 'node:path';

/**
 * Every error that dladmm throws or rejects with carries one of these codes. They are part of the interface and stable.
 *
 * | code | raised when |
 * | --- | --- |
 * | `ERR_DLADMM_ARGUMENT` | an option or argument is unknown, missing, or of the wrong type |
 * | `ERR_DLADMM_RANGE` | a number lies outside its legal range (a width of zero, ρ ≤ 0, a dimension above 2³¹ − 1) |
 * | `ERR_DLADMM_SHAPE` | lengths or shapes do not fit together |
 * | `ERR_DLADMM_NON_FINITE` | a NaN or an infinity in the data, with its row and column |
 * | `ERR_DLADMM_LABEL` | a label is no class that there is (fractional, negative, too large, unknown to the model), or what is to be predicted has nothing to learn: one class, a value that never varies, values that are missing, a different text in every row |
 * | `ERR_DLADMM_DETACHED` | a typed array lies on a detached ArrayBuffer |
 * | `ERR_DLADMM_MEMORY` | the state would not fit into memory; the message gives the size it needs |
 * | `ERR_DLADMM_FORMAT` | a file is truncated, damaged, or not of the format it claims |
 * | `ERR_DLADMM_DATASET` | a named data set is unknown or was found nowhere; the message lists everywhere it looked |
 * | `ERR_DLADMM_DOWNLOAD` | a download failed or its checksum is wrong |
 * | `ERR_DLADMM_FILE` | a file could not be read or written (missing folder, full disk); `cause` is the system error |
 * | `ERR_DLADMM_CHECKPOINT` | a checkpoint is whole but does not fit: other data, network, options, version or machine |
 * | `ERR_DLADMM_STREAM` | a stream of samples failed or ended too early; `cause` is its own error |
 * | `ERR_DLADMM_ABORTED` | the AbortSignal was aborted before there was an answer, or the model that is asked for; `cause` is its reason. A training and a search say so by their status |
 * | `ERR_DLADMM_STATE` | something is called too early or too late: before `start()`, while a run is at work, before a result is there |
 * | `ERR_DLADMM_CLOSED` | the session, model, learner or store has been closed |
 * | `ERR_DLADMM_RANKS` | there is no MPI, ranks of a distributed training differ, or another rank failed; the message names the rank |
 * | `ERR_DLADMM_BLAS` | the BLAS gives wrong results on this processor; the message names the variable that helps |
 * | `ERR_DLADMM_NATIVE` | the native addon could not be loaded or failed in a way not foreseen |
 */
export type ErrorCode =
  | 'ERR_DLADMM_ARGUMENT'
  | 'ERR_DLADMM_RANGE'
  | 'ERR_DLADMM_SHAPE'
  | 'ERR_DLADMM_NON_FINITE'
  | 'ERR_DLADMM_LABEL'
  | 'ERR_DLADMM_DETACHED'
  | 'ERR_DLADMM_MEMORY'
  | 'ERR_DLADMM_FORMAT'
  | 'ERR_DLADMM_DATASET'
  | 'ERR_DLADMM_DOWNLOAD'
  | 'ERR_DLADMM_FILE'
  | 'ERR_DLADMM_CHECKPOINT'
  | 'ERR_DLADMM_STREAM'
  | 'ERR_DLADMM_ABORTED'
  | 'ERR_DLADMM_STATE'
  | 'ERR_DLADMM_CLOSED'
  | 'ERR_DLADMM_RANKS'
  | 'ERR_DLADMM_BLAS'
  | 'ERR_DLADMM_NATIVE';

/** The one error class of the package: look at `code`, read `message`. */
export class DlAdmmError extends Error {
  override readonly name = 'DlAdmmError';
  /** Which error it is, for programs: docs/errors.md has all. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** How a received value is shown in an error: short, with its type. Never throws, whatever the value does when asked. */
export function describe(value: unknown): string {
  try {
    return describeOpenly(value);
  } catch {
    return `${typeof value === 'object' ? 'an' : 'a'} ${typeof value} that cannot be looked into`;
  }
}

function describeOpenly(value: unknown): string {
  if (typeof value === 'string') return `${quoted(value)} (string)`;
  if (typeof value === 'object' && value !== null) return describeObject(value);
  if (typeof value === 'function') return 'a function';
  return value === null || value === undefined ? String(value) : `${shortened(String(value))} (${typeof value})`;
}

function describeObject(value: object): string {
  if (ArrayBuffer.isView(value)) return `a ${shortened(value.constructor.name)} of ${value.byteLength} bytes`;
  if (Array.isArray(value)) return `an array of length ${value.length}`;
  return `an object (${shortened(value.constructor?.name ?? 'no prototype')})`;
}

/** What comes from outside, and may have any length, as errors show it. */
export const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

/** A name as errors show it, where it may have any length. */
export const quoted = (name: string): string => JSON.stringify(shortened(name));

/** Names as errors list them, the first of many. */
export const listed = (names: readonly string[], most = 50): string =>
  [...names.slice(0, most).map(shortened), ...(names.length > most ? ['…'] : [])].join(', ');

/** What cannot be done as it was asked for. */
export const refused = (message: string): DlAdmmError => new DlAdmmError('ERR_DLADMM_ARGUMENT', message);

/** The one voice of argument errors: `Expected EXPECTED for NAME but received ACTUAL`. */
export function expected(
  what: string,
  name: string,
  received: unknown,
  code: ErrorCode = 'ERR_DLADMM_ARGUMENT',
): DlAdmmError {
  return new DlAdmmError(code, `Expected ${what} for ${name} but received ${describe(received)}`);
}

/** What an error of any realm says; anything else that was thrown is shown. */
export function messageOf(error: unknown): string {
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : undefined;
  return typeof message === 'string' ? message : describe(error);
}

export function systemCode(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** Which flag of Node would have allowed what its permission model denied, by the `permission` of the error. */
const ALLOWING: Readonly<Record<string, (resource: string) => string>> = {
  FileSystemRead: (file) => `--allow-fs-read=${file}`,
  // A file is written under another name in the same folder.
  FileSystemWrite: (file) => `--allow-fs-write=${dirname(file)}/`,
  ChildProcess: () => '--allow-child-process',
  WorkerThreads: () => '--allow-worker',
};

/** What Node's permission model has against it, and the flag that helps; undefined for any other error. */
export function deniedBecause(error: unknown): string | undefined {
  const code = systemCode(error);
  if (code === 'ERR_DLOPEN_DISABLED') {
    const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((flag) => flag.includes('--no-addons'));
    if (given) return 'node was started with --no-addons; start it without';
    return 'the permission model of Node denies it; start node with --allow-addons';
  }
  if (code !== 'ERR_ACCESS_DENIED') return undefined;
  const { permission = '', resource = '' } = error as { readonly permission?: string; readonly resource?: string };
  const flag = ALLOWING[permission]?.(resource);
  return `the permission model of Node denies it${flag ? `; start node with ${flag}` : ''}`;
}
