/** What stands around the loading of the addon: OpenBLAS asks for memory as it is loaded, and ends the process where it gets none. */
import { readFileSync } from 'node:fs';
import { DlAdmmError } from './errors.js';

/** Addresses that the libraries take, and what V8 needs to go on. */
const NEEDED_BYTES = 2 ** 28;
const OWN_THREADS = 'OPENBLAS_NUM_THREADS';

/** Bytes of addresses that a limit of the process (`ulimit -v`) leaves; Infinity without one, and where the system does not tell. */
function addressSpace(): number {
  try {
    const limit = /^Max address space\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    const taken = /^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return limit && taken ? Number(limit) - 1024 * Number(taken) : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Loads what has OpenBLAS in it or behind it. Its own threads are never used, so it starts none, each of which would take 128 MiB of
 * addresses; the environment is as it was afterwards.
 *
 * @throws DlAdmmError ERR_DLADMM_MEMORY; what `load` throws
 */
export function withRoom<T>(load: () => T): T {
  const left = addressSpace();
  if (left < NEEDED_BYTES) {
    const mebibytes = (bytes: number): string => `${Math.floor(bytes / 2 ** 20)} MiB`;
    const text = `The native addon takes ${mebibytes(NEEDED_BYTES)} of addresses, but a limit of the process (ulimit -v) leaves ${mebibytes(left)}`;
    throw new DlAdmmError('ERR_DLADMM_MEMORY', text);
  }
  if (process.env[OWN_THREADS] !== undefined) return load();
  process.env[OWN_THREADS] = '1';
  try {
    return load();
  } finally {
    delete process.env[OWN_THREADS];
  }
}
