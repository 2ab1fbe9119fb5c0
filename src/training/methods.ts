/** What a model does once trainings are there: its room comes before theirs. */
import { Model } from '../model/model.js';
import type { Loss } from '../network/network.js';
import type { SampleSolver } from '../solvers/index.js';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import type { EpochRecord } from '../solvers/shared/record.js';
import type { AutoResult } from './automatic.js';
import type { AutoOptions, OptionsFor, RecordFor } from './fit.js';
import { type GoingOn, goOn, type Settled } from './going-on.js';
import { type BatchSolver, Learner, type LearnerOptions } from './learner.js';
import type { Rows } from './options.js';
import type { TrainingData } from './result.js';

declare module '../model/model.js' {
  interface Model<L extends Loss = Loss> {
    /**
     * Goes on: trains on more rows, from the present parameters, with the present encodings, scaler and classes. Resolves to another model;
     * this one stays as it is, and in service, whatever comes of it.
     *
     * @throws DlAdmmError as `fit`; ERR_DLADMM_LABEL for classes that the model does not know, unless `newClasses: 'add'`
     */
    fit(
      data: Rows | TrainingData,
      options?: GoingOn & Omit<AutoOptions, Settled>,
    ): Promise<AutoResult<EpochRecord, Model<L>>>;
    /** The same by a solver that is named, with its options. */
    fit<S extends SampleSolver['name'] | AnySolver>(
      data: Rows | TrainingData,
      options: GoingOn & Omit<OptionsFor<S>, Settled> & { readonly solver: S },
    ): Promise<AutoResult<RecordFor<S>, Model<L>>>;
    /**
     * Goes on learning from rows as they come, by a solver that learns from batches. This model stays as it is.
     *
     * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for the options; ERR_DLADMM_CLOSED
     */
    learner<const S extends BatchSolver = 'minibatch-admm'>(options?: LearnerOptions<S>): Learner<L>;
  }
}

Model.prototype.learner = function (this: Model, options?: object) {
  this.checkOpen();
  return new Learner(this as never, options ?? {});
};

Model.prototype.fit = function (this: Model, data: Rows | TrainingData, options?: object) {
  return goOn(this, data, options) as never;
};
