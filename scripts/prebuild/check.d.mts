export interface Inspection {
  readonly needed: readonly string[];
  readonly glibc: string;
  readonly exports: readonly string[];
  readonly stays: boolean;
  readonly openblas: string;
  /** Megabytes, compressed. */
  readonly packed: number;
  readonly searches: readonly string[];
}
export declare function inspect(file: string): Inspection;
export declare function faultsOf(inspection: Inspection, libc?: 'glibc' | 'musl'): readonly string[];
