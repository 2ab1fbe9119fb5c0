import type { Splitting } from './descriptor.js';
import type { LayeredPlan } from './layered-engine.js';
import type { CommonPlan } from './options.js';
import type { IterationRecord } from './record.js';
import { CONSTANT } from './schedule.js';

const can = { checkpoint: true, standardise: true, streaming: true, biases: true, epochs: false } as const;

/** What a solver of the layered splitting decides. */
export type LayeredParts = Omit<LayeredPlan, keyof CommonPlan<never>>;

/** W, b, z, a of every layer, u of the output constraint: dlADMM and the inversion ADMM. */
export const layered: Splitting<LayeredParts, IterationRecord, 'samples', typeof can> = {
  name: 'layered',
  data: 'samples',
  can,
  open: async (plan, data, opened, takeUp) =>
    (await import('./layered-engine.js')).openLayered(plan, data, opened, takeUp),
};

/** Every subproblem exactly, without weight decay. */
export const EXACT: LayeredParts['settings'] = {
  l2: 0,
  search: 'exact',
  growth: 2,
  output: 'exact',
  fistaStep: 4,
  fistaTolerance: 1e-3,
  fistaLimit: 500,
};

/** A plan of the layered splitting; what is left out is as dlADMM has it, with the smallest steps that pass. */
export const layeredPlan = (
  parts: Pick<LayeredParts, 'updatesOf' | 'penaltiesFor' | 'initialisation' | 'steps'> & Partial<LayeredParts>,
): LayeredParts => ({
  softmax: 'stable',
  firstUpdates: [],
  multiplier: 'residual',
  bias: 'separate',
  schedule: CONSTANT,
  settings: EXACT,
  start: { output: 'forward', hidden: 'forward', dual: 'zero' },
  refreshEvery: 25,
  ...parts,
});
