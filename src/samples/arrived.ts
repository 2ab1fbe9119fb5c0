import { DlAdmmError, listed } from '../core/errors.js';
import type { Dtype } from '../core/native.js';
import type { Network } from '../network/network.js';
import type { Csr } from '../tensor/csr.js';
import {
  isArray,
  isMatrix,
  type LabelsLike,
  type MatrixLike,
  type NumericArray,
  type RowSource,
} from '../tensor/inputs.js';
import { type Column, inputsOf } from './columns.js';
import type { LabelLists } from './label-lists.js';
import type { Cells, ColumnOptions, RecordLike, TableLike } from './table.js';
import type { WeightsLike } from './weights.js';

/** One sample with its label or its target values. */
export interface LabelledRow {
  readonly x: readonly number[] | NumericArray;
  readonly label?: string | number | boolean;
  readonly y?: readonly number[] | NumericArray | number;
  /** What it counts for. */
  readonly weight?: number;
}

/** Some samples with theirs. */
export interface LabelledBlock {
  readonly x: MatrixLike;
  readonly labels?: LabelsLike;
  readonly y?: MatrixLike;
  readonly weights?: WeightsLike;
}

/**
 * What a stream may bring at a time: a row; a block of rows, as a Matrix, an array of rows, or a typed array whose length is
 * a multiple of the number of features; either of them with labels or targets; or a record, a row by the names of its columns; or an array of these.
 */
export type StreamItem =
  | number
  | readonly number[]
  | MatrixLike
  | LabelledRow
  | LabelledBlock
  | RecordLike
  | readonly RecordLike[];

/** Samples without labels, in any form; sparse ones in compressed rows. A Node `Readable` in object mode is an async iterable. */
export type RowsLike = MatrixLike | Csr | TableLike | Iterable<StreamItem> | AsyncIterable<StreamItem>;

/** Samples with what they should become, in any form. */
export interface ArrivingSamples extends ColumnOptions {
  readonly x: RowsLike;
  /**
   * Class numbers, names of classes, or true and false; of a table or of records also the name of their column. Or a list of names for each
   * sample, for the loss sigmoid-cross-entropy.
   */
  readonly labels?: LabelsLike | LabelLists | string;
  /** Rows of target values; of a table or of records also the name of their column, or the names. */
  readonly y?: MatrixLike | readonly number[] | string | readonly string[];
  /** The columns that labels or targets were; kept in the model. Default: those that `labels` or `y` names. */
  readonly target?: string | readonly string[];
  /** The names of the classes, where `labels` are numbers. */
  readonly classes?: readonly string[];
  /** The names of the features of `x`, or what they were made of; kept in the model. */
  readonly columns?: readonly (string | Column)[];
}

export interface WeightedSamples extends ArrivingSamples {
  /** What each sample counts for beside the others, from 0; of a table or of records also the name of their column. */
  readonly weights?: WeightsLike | string;
}

/** The same, whose lists of labels have become rows. */
export type RowSamples = Omit<WeightedSamples, 'labels'> & { readonly labels?: LabelsLike | string };

/** What samples must be like, and how they are kept. */
export interface ArrivalRules {
  readonly network: Network;
  readonly dtype: Dtype;
  /** Whether rows are kept in float64, as something is subtracted from them that may be large. */
  readonly exact: boolean;
  /** The same of rows of target values. */
  readonly exactTargets: boolean;
  /** The columns that samples with named columns must have. Default: all but those of labels or targets. */
  readonly columns?: readonly Column[];
  /** The names of the labels that there may be. */
  readonly labels?: readonly string[];
  /** Who has been trained on columns without names: records, whose order is nobody's, cannot be meant for it. */
  readonly nameless?: string;
  readonly signal?: AbortSignal;
}

export interface Arrived {
  readonly x: RowSource;
  readonly labels?: LabelsLike;
  readonly classes?: readonly string[];
  readonly y?: RowSource;
  readonly weights?: WeightsLike;
  readonly columns?: readonly Column[];
}

export type Targets = 'labels' | 'y' | 'none';

export const isRecord = (value: unknown): value is Cells =>
  typeof value === 'object' && value !== null && !isArray(value) && !ArrayBuffer.isView(value) && !isMatrix(value);

/** Records that a stream brings together, or what else it brings. */
export const itemsOf = (item: unknown): readonly unknown[] => (isArray(item) && isRecord(item[0]) ? item : [item]);

interface Names {
  readonly x: string;
  readonly labels: string;
  readonly y: string;
}

/** What is to arrive, what it must be like, and how errors call its parts. */
export interface Arriving {
  readonly samples: RowSamples;
  readonly rules: ArrivalRules;
  readonly targets: Targets;
  readonly names: Names;
}

export const isNames = (y: unknown): y is readonly string[] => isArray(y) && y.length > 0 && typeof y[0] === 'string';

export function targetColumns({ labels, y, weights }: WeightedSamples): readonly string[] {
  const columns = typeof y === 'string' ? [y] : isNames(y) ? y : [];
  return [...[labels, weights].filter((name) => typeof name === 'string'), ...columns];
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where the order of a record's keys would decide which of them is which input */
export function checkOrdered(
  { nameless, columns }: Pick<ArrivalRules, 'nameless' | 'columns'>,
  features: readonly unknown[],
  name: string,
): void {
  if (nameless === undefined || columns !== undefined || features.length === 1) return;
  const text = `Expected rows as arrays of numbers for ${name}, as ${nameless} was trained on columns without names, but received records, whose keys have no order: a model knows names that it was trained with, as records or by columns: ['…', …] beside x`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

/** @param inputs what the network takes; 0 where it will follow from the columns */
export function checkInputs(columns: readonly Column[], inputs: number, name: string): void {
  if (inputs === 0 || inputsOf(columns) === inputs) return;
  const found = columns.map(({ name, categories }) => (categories ? `${name} (${categories.length})` : name));
  const text = `Expected ${inputs} inputs for ${name} but its features make ${inputsOf(columns)}: ${listed(found)}`;
  throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
}
