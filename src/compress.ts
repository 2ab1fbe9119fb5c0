/**
 * Compressing: a model with few weights, or narrower, that says what the large one said.
 *
 * @packageDocumentation
 */
import './training/methods.js';

export { type CompressTraining, compress } from './compressing/compress.js';
export type { CompressionStep, CompressOptions, Structure } from './compressing/options.js';
export type { Compression, Measured } from './compressing/result.js';
export type { Grid, InputGrid, Quantisation } from './model/quantisation.js';
