/**
 * Choosing: how good a way of training is, which settings are best, what each column is worth.
 *
 * @packageDocumentation
 */
import './training/methods.js';

export {
  type CrossValidation,
  crossValidate,
  type Fold,
  type Spread,
  type Spreads,
} from './choosing/cross-validate.js';
export type { Data } from './choosing/divided.js';
export type { AnyOptions, FoldOptions, Strengths } from './choosing/options.js';
export { type PathOptions, type PathPoint, type PathResult, path } from './choosing/path.js';
export { type RefittedSearch, type SearchOptions, type SearchResult, search } from './choosing/search.js';
export { choice, type Distribution, integer, logUniform, type SearchSpace, uniform } from './choosing/space.js';
export type { Trial } from './choosing/trial.js';
export { type ColumnImportance, type Importance, type ImportanceOptions, importance } from './model/importance.js';
