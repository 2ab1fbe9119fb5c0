/** What a model does once trainings are there: its room comes before theirs. */
import { Model } from '../model/model.js';
import type { Loss } from '../network/network.js';
import { type BatchSolver, Learner, type LearnerOptions } from './learner.js';

declare module '../model/model.js' {
  interface Model<L extends Loss = Loss> {
    /**
     * Goes on learning from rows as they come, by a solver that learns from batches. This model stays as it is.
     *
     * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for the options
     */
    learner<const S extends BatchSolver = 'minibatch-admm'>(options?: LearnerOptions<S>): Learner<L>;
  }
}

Model.prototype.learner = function (options?: object) {
  return new Learner(this as never, options ?? {});
};
