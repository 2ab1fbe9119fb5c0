import { checkOptions } from '../core/checks.js';
import { DlAdmmError } from '../core/errors.js';
import type { TrainOptions } from '../solvers/index.js';
import type { AutoOptions } from '../training/fit.js';

type Every = TrainOptions | AutoOptions;
type Keys<U> = U extends unknown ? keyof U : never;
type ValueIn<U, K> = U extends unknown ? (K extends keyof U ? U[K] : never) : never;

/** The options of a training by any solver, `layers` left to be inferred; a name that no solver has is a compile error. */
export type AnyOptions = { readonly [K in Keys<Every>]?: ValueIn<Every, K> };

/** What other libraries call the rules of folds and searches, without capitals and underscores. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...{ cv: 'folds', k: 'folds', kfold: 'folds', kfolds: 'folds', nfolds: 'folds', nsplits: 'folds' },
  ...{ stratify: 'stratified', group: 'groups', groupby: 'groups', randomstate: 'seed', randomseed: 'seed' },
  ...{ njobs: 'parallel', concurrency: 'parallel', workers: 'parallel', abort: 'signal', abortsignal: 'signal' },
  ...{ ntrials: 'trials', niter: 'trials', maxtrials: 'trials', maxevals: 'trials', numsamples: 'trials' },
  ...{ timeout: 'seconds', time: 'seconds', maxtime: 'seconds', timelimit: 'seconds', timebudget: 'seconds' },
  ...{ scoring: 'metric', objective: 'metric', sampler: 'method', strategy: 'method', callback: 'onTrial' },
  ...{ callbacks: 'onTrial', storage: 'resume' },
};

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for a rule that is none, with what it is called here */
export function checkRules(rules: object, known: readonly string[], name: string): void {
  for (const key of Object.keys(rules)) {
    const plain = key.replaceAll(/[_-]/g, '').toLowerCase();
    const meant = known.includes(key) || !Object.hasOwn(ELSEWHERE, plain) ? undefined : ELSEWHERE[plain];
    if (meant === undefined || !known.includes(meant)) continue;
    const text = `Expected only ${known.join(', ')} for ${name} but received ${key}; did you mean ${meant}?`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
  }
  checkOptions(rules, known, name);
}
