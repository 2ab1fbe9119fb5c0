import type { Column } from '../samples/columns.js';
import type { Matrix } from '../tensor/matrix.js';

/** Inputs with a class number each. `labels[i]` is in 0 … classes − 1. */
export interface ClassificationSplit {
  readonly x: Matrix;
  readonly labels: Int32Array;
  /** The names of the classes, where the file has names for them. */
  readonly classes?: readonly string[];
  /** What the features are called, where the file says so. */
  readonly columns?: readonly Column[];
}

/** Inputs with a row of target values each. `y` is samples x outputs. */
export interface RegressionSplit {
  readonly x: Matrix;
  readonly y: Matrix;
  readonly columns?: readonly Column[];
}

/** A data set for classification; `classes` names the classes in the order of their numbers. */
export interface ClassificationDataset {
  readonly task: 'classification';
  readonly name: string;
  readonly classes: readonly string[];
  readonly train: ClassificationSplit;
  readonly test: ClassificationSplit;
}

/** A data set for regression; `outputs` is the number of target columns. */
export interface RegressionDataset {
  readonly task: 'regression';
  readonly name: string;
  readonly outputs: number;
  readonly train: RegressionSplit;
  readonly test: RegressionSplit;
}

/** A training and a test split of one kind of task. */
export type Dataset = ClassificationDataset | RegressionDataset;
