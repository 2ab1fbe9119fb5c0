import { checkObject } from '../core/checks.js';
import { expected, listed } from '../core/errors.js';
import type { Share } from '../core/ranks.js';
import type { GraphSamples } from '../samples/graph-samples.js';
import type { LabelledSamples } from '../samples/samples.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS } from '../solvers/index.js';
import type { Course } from '../solvers/shared/course.js';
import {
  type AnySolver,
  type Begun,
  checkSolver,
  chosenSolver,
  completePlan,
  schemaOf,
} from '../solvers/shared/descriptor.js';
import { checkOptionKeys } from '../solvers/shared/hints.js';
import type { CommonPlan } from '../solvers/shared/options.js';
import type { RunningSchedule } from '../solvers/shared/penalties.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { AUTO_KEYS, FRONT } from './options.js';

/** Options checked and completed, and what they open. */
export interface Plan<R extends ProgressRecord> extends CommonPlan<R>, Begun {
  readonly solver: AnySolver;
  /** Whether the solver reads `record.train`, which costs a forward pass over the training set. */
  readonly needsTrainLoss: boolean;
  /** Allocates the state and copies the data in. */
  open(data: LabelledSamples | GraphSamples, share?: Share): Promise<Course<R>>;
}

/**
 * Checks every option of a training on samples, or on a graph, once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function planOf<R extends ProgressRecord>(options: object, problem: 'samples' | 'graph' = 'samples'): Plan<R> {
  checkObject(options, 'an object', 'options');
  const asked = 'solver' in options ? options.solver : undefined;
  const solver = chosenSolver(asked, [...SAMPLE_SOLVERS, ...GRAPH_SOLVERS], problem);
  const plan = completePlan(solver, options) as Begun &
    CommonPlan<R> & { readonly schedule?: RunningSchedule<never, never> };
  return {
    ...plan,
    solver,
    needsTrainLoss: plan.schedule?.needsTrainLoss ?? false,
    async open(data, share) {
      const course: unknown = await solver.splitting.course(plan as never, data as never, share);
      checkObject(course, 'an object', 'what course returns');
      return course as Course<R>;
    },
  };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where iterations are no sweeps, whose updates alone can be measured */
export function checkSweeps({ solver: { name, splitting } }: Pick<Plan<never>, 'solver'>): void {
  if (!splitting.can.epochs) return;
  const others = [...SAMPLE_SOLVERS, ...GRAPH_SOLVERS].filter((each) => each.splitting.data === splitting.data);
  const sweeps = others.flatMap((each) => (each.splitting.can.epochs ? [] : [each.name]));
  throw expected(`one whose iterations are sweeps of updates to measure (${listed(sweeps)})`, 'solver', name);
}

/**
 * That every option is one of some training, before it is known of which.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function checkOptionNames(options: object, of: string, ...more: readonly string[]): void {
  const { solver } = options as { readonly solver?: unknown };
  const solvers: AnySolver[] = [...SAMPLE_SOLVERS, ...GRAPH_SOLVERS];
  if (typeof solver === 'object' && solver !== null) {
    checkSolver(solver, 'solver');
    solvers.push(solver);
  }
  const known = new Set(solvers.flatMap((each) => Object.keys(schemaOf(each))));
  checkOptionKeys(options, [...known, ...Object.keys(FRONT), ...AUTO_KEYS, ...more], of);
}
