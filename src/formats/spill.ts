/** A file of numbers that is nobody's: it has no name once it is open, where the system allows that, and ends with the process. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DISPOSE } from '../core/dispose.js';
import { DlAdmmError } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import type { NumberFile } from '../tensor/growing.js';
import { fileError } from './atomic-file.js';

export class Spill implements NumberFile {
  readonly #beside: string;
  readonly #path: string;
  readonly #file: number;
  #end = 0;
  #named = true;
  #last: { readonly whose: object; readonly made: unknown } | undefined;

  /**
   * @param beside the file in whose folder it lies, which errors name
   * @throws DlAdmmError ERR_DLADMM_FILE
   */
  constructor(beside: string) {
    this.#beside = beside;
    this.#path = join(dirname(beside), `.dladmm-${randomBytes(8).toString('hex')}.tmp`);
    this.#file = this.#guarded('write', () => openSync(this.#path, 'wx+', 0o600));
    this.#unlink();
  }

  /** For native code, which may keep it open. */
  get descriptor(): number {
    return this.#file;
  }

  #unlink(): void {
    try {
      if (this.#named) unlinkSync(this.#path);
      this.#named = false;
    } catch {
      // Windows removes no open file: it goes when it is closed.
    }
  }

  #guarded<T>(action: 'read' | 'write', work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw error instanceof DlAdmmError ? error : fileError(action, this.#beside, error);
    }
  }

  /** @throws DlAdmmError ERR_DLADMM_FILE */
  write(numbers: Numbers): number {
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    const place = this.#end;
    for (let at = 0; at < bytes.length; )
      at += this.#guarded('write', () => writeSync(this.#file, bytes, at, bytes.length - at, place + at));
    this.#end += bytes.length;
    return place;
  }

  /** @throws DlAdmmError ERR_DLADMM_FILE */
  read(into: Numbers, place: number): void {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    for (let at = 0; at < bytes.length; ) {
      const count = this.#guarded('read', () => readSync(this.#file, bytes, at, bytes.length - at, place + at));
      if (count === 0) throw fileError('read', this.#beside, new Error('it was cut'));
      at += count;
    }
  }

  once<T>(whose: object, make: () => T): T {
    if (this.#last?.whose !== whose) {
      this.#last = undefined;
      this.#last = { whose, made: make() };
    }
    return this.#last.made as T;
  }

  [DISPOSE](): void {
    this.#last = undefined;
    closeSync(this.#file);
    this.#unlink();
  }
}
