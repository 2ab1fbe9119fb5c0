/** What functions beside a model take for one. */
import { expected } from '../core/errors.js';
import { isObject } from '../core/objects.js';
import { Model } from './model.js';

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for what is none, or one of another copy of this package, which knows no samples of this one */
export function checkModel(model: unknown): asserts model is Model {
  if (Model.is(model)) return;
  const { kind, evaluate } = isObject(model) ? model : {};
  const copies = 'a model of this copy of dladmm, as there are two of them here (npm ls dladmm),';
  const other = kind === 'perceptron' && typeof evaluate === 'function';
  throw expected(other ? copies : 'a model of samples', 'model', kind === 'gcn' ? 'a model of a graph' : model);
}
