import type { GraphName, Setting } from './settings.js';

export type RunRequest =
  | { readonly kind: 'load'; readonly graph: GraphName; readonly dataDir?: string }
  | { readonly kind: 'run'; readonly setting: Setting; readonly seed: number; readonly threads: number };

/** One training. Accuracies are shares of the nodes of a part. */
export interface GraphRun {
  /** Of the initialisation, and of the split where the graph has none of its own. */
  readonly seed: number;
  /** How the training ended. */
  readonly status: string;
  readonly iterations: number;
  readonly testAccuracy: number;
  readonly validationAccuracy: number;
  readonly trainAccuracy: number;
  /** The middle of the iterations' seconds, evaluation left out. */
  readonly secondsPerIteration: number;
}

export interface LoadReply {
  readonly nodes: number;
  readonly edges: number;
  readonly features: number;
  readonly classes: number;
  readonly core: string;
}

export interface RunReply {
  readonly run: GraphRun;
  /** Of the process so far, loading included. */
  readonly peakRssBytes: number;
}
