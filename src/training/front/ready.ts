/** Samples that are ready for a training: what is given, and what they are. */
import { DISPOSE } from '../../core/dispose.js';
import type { Loss } from '../../network/network.js';
import type { Task } from '../../samples/targets.js';
import type { RowSource } from '../../tensor/inputs.js';
import type { FrontOptions } from '../options.js';
import type { TrainingData } from '../result.js';
import type { HeldOut } from './parts.js';

export interface Given extends FrontOptions {
  readonly loss?: Loss;
  readonly layers?: readonly number[];
  readonly classes?: readonly string[];
  readonly seed: number;
  readonly standardise?: boolean;
  /** The loss of classes where nobody says. Default: softmax cross-entropy. */
  readonly classLoss?: Loss;
  /** Whether something is to be held out where nobody says. */
  readonly holdsOut: boolean;
  /** Whether the cells of a table are wanted, rather than its inputs laid out. */
  readonly packs?: boolean;
  /** A model is there that knows the classes, and the columns, so that a few rows of one class are something to learn from. */
  readonly goesOn?: boolean;
  readonly signal?: AbortSignal;
}

/** Samples that are ready, and what was inferred of them. */
export interface Ready {
  readonly data: TrainingData;
  readonly samples: number;
  readonly inputs: number;
  readonly features: number;
  readonly outputs: number;
  readonly loss: Loss;
  readonly standardise: boolean;
  /** Whether the features are sparse. */
  readonly sparse?: boolean;
  readonly task: Task;
  readonly because: string;
  readonly target?: string | readonly string[];
  /** The features of a table before they are inputs, where they were asked for. */
  readonly cells?: RowSource;
  /** What was held out, for the report. */
  readonly heldOut?: HeldOut;
  readonly warnings: readonly string[];
}

/** The same; at its end what was opened to be read as the training goes is given back. */
export type Open = Ready & { [DISPOSE](): void };

export const DEFAULT_LOSS = {
  classification: 'softmax-cross-entropy',
  regression: 'squared-error',
  'multi-label': 'sigmoid-cross-entropy',
} as const;
