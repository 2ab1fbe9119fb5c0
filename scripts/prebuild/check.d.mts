export interface Inspection {
  readonly needed: readonly string[];
  readonly glibc: string;
  readonly exports: readonly string[];
  readonly stays: boolean;
  readonly searches: readonly string[];
}
export declare function inspect(file: string): Inspection;
export declare function faultsOf(inspection: Inspection): readonly string[];
