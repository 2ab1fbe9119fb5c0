import { type GoldenCase, transposed } from '../../dist/golden/case.js';
import { type Replay, summarise } from '../../dist/golden/compare.js';
import { DlAdmmError } from '../../src/core/errors.js';
import { at, type Matrix64, row, squaredNorm } from './dense.js';
import {
  accuracyOf,
  applyUpdate,
  dladmmSweep,
  dualGradient,
  forward,
  lagrangian,
  lossOf,
  type Penalties,
  type PlainState,
  residuals,
  runSweep,
  startState,
  type Target,
  type Update,
} from './layered.js';

/** Settings that change between iterations. */
export type Schedule = Pick<Penalties, 'nu' | 'rho' | 'theta0' | 'tau0'>;

/** What may be exchanged in a replay, to show that the comparator notices. */
export interface Variant {
  readonly sweep?: (L: number) => readonly Update[];
  readonly apply?: typeof applyUpdate;
  readonly growRho?: number;
}

/** Whether the last four costs rise three times running. */
export function costsRise(costs: readonly number[]): boolean {
  const last = costs.slice(-4);
  return last.length === 4 && last.every((cost, i) => i === 0 || cost > at(last, i - 1, 'costs'));
}

/** Runs a dlADMM case with the plain reference, and records what the comparator asks for. */
export function replayDladmm(golden: GoldenCase, variant: Variant = {}): Replay {
  const { hyper, train, test, initial, dims } = golden;
  if (hyper.system !== 'dladmm') throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `${golden.name} is not a dlADMM case`);
  const target: Target = { loss: 'cross-entropy', labels: labelsOf(train.labels, golden), softmax: 'official' };
  const L = dims.length - 1;
  const sweep = (variant.sweep ?? dladmmSweep)(L);
  let state = startState({
    layers: dims.map((units) => ({ units, slope: 0 })),
    W: initial.W,
    b: initial.b,
    X: train.x,
    target,
    output: 'signs',
    dual: 'zero',
  });
  let schedule: Schedule = { nu: hyper.rho0, rho: hyper.rho0, theta0: hyper.theta0, tau0: hyper.tau0 };
  const rows: Record<string, number | number[]>[] = [];
  const substeps: NonNullable<Replay['substeps']>[number][] = [];
  const costs: number[] = [];
  for (let iter = 0; iter < golden.iterations; iter++) {
    const penalties: Penalties = {
      ...schedule,
      growth: hyper.backtrackingFactor,
      search: 'backtracking',
      l2: 0,
      output: {
        kind: 'fista',
        step: hyper.fistaStep,
        tolerance: hyper.fistaTolerance,
        maxIterations: hyper.fistaMaxIter,
      },
    };
    const done = runSweep(state, sweep, penalties, variant.apply ?? applyUpdate);
    state = done.state;
    if (iter < 2)
      for (const { update, state: after, theta, tau, fista } of done.steps)
        substeps.push({
          iter,
          var: `${update.block}${update.layer}`,
          ...summarise(updatedMatrix(after, update)),
          ...(theta !== undefined && { theta }),
          ...(tau !== undefined && { tau }),
          ...(fista !== undefined && { fista }),
        });
    const record = recordOf(state, penalties, golden);
    rows.push({
      ...record,
      theta: done.steps.flatMap(({ theta }) => theta ?? []),
      tau: done.steps.flatMap(({ tau }) => tau ?? []),
      fista: done.steps.flatMap(({ fista }) => fista ?? []),
    });
    costs.push(record.train_cost);
    if (hyper.schedule === 'adaptive' && costsRise(costs)) {
      const rho = Math.min((variant.growRho ?? hyper.rhoFactor ?? 1) * schedule.rho, hyper.rhoCap ?? Infinity);
      const factor = hyper.tauThetaFactor ?? 1;
      schedule = { nu: rho, rho, theta0: factor * schedule.theta0, tau0: factor * schedule.tau0 };
    }
  }
  const names = Object.keys(rows[0] ?? {});
  return {
    records: Object.fromEntries(names.map((name) => [name, rows.map((record) => record[name] ?? null)])),
    final: {
      W: state.W.slice(1),
      b: state.b.slice(1),
      z: state.z.slice(1),
      a: state.a.slice(1),
      u: state.u,
    },
    substeps,
  };

  function labelsOf(labels: Int32Array | undefined, { name }: GoldenCase): Int32Array {
    if (labels === undefined) throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `${name} has no labels`);
    return labels;
  }

  function costAndAccuracy(net: PlainState, split: NonNullable<typeof test>): { cost: number; accuracy: number } {
    const labels = labelsOf(split.labels, golden);
    const outputs = forward(net, split.x);
    return {
      cost: lossOf(outputs, { loss: 'cross-entropy', labels, softmax: 'official' }) / split.x.rows,
      accuracy: accuracyOf(outputs, labels),
    };
  }

  function recordOf(after: PlainState, penalties: Penalties, { train, test }: GoldenCase) {
    const { r, act } = residuals(after);
    const norms = (list: readonly Matrix64[]): number[] => list.map((m) => Math.sqrt(squaredNorm(m)));
    const onTrain = costAndAccuracy(after, train);
    const onTest = test && costAndAccuracy(after, test);
    return {
      objective: lagrangian(after, penalties),
      r: r.slice(1).map(squaredNorm),
      act: act.slice(1).map(squaredNorm),
      rho: penalties.rho,
      tau0: penalties.tau0,
      theta0: penalties.theta0,
      train_cost: onTrain.cost,
      train_acc: onTrain.accuracy,
      ...(onTest && { test_cost: onTest.cost, test_acc: onTest.accuracy }),
      u_fro: Math.sqrt(squaredNorm(after.u)),
      grad_zL_inf: dualGradient(after),
      W_fro: norms(after.W.slice(1)),
      b_fro: norms(after.b.slice(1).map(row)),
      z_fro: norms(after.z.slice(1)),
      a_fro: norms(after.a.slice(1)),
    };
  }
}

/** The variable that `update` renewed, as the golden files lay it out: one unit a row. */
function updatedMatrix(state: PlainState, { block, layer }: Update): Matrix64 {
  switch (block) {
    case 'W':
      return at(state.W, layer, 'W');
    case 'b':
      return row(at(state.b, layer, 'b'));
    case 'z':
      return transposed(at(state.z, layer, 'z'));
    case 'a':
      return transposed(at(state.a, layer, 'a'));
    case 'u':
      return transposed(state.u);
  }
}
