import type { GoldenCase } from './case.js';
import type { Replay } from './compare.js';
import { replayDladmm } from './replay-dladmm.js';
import { replayInversion } from './replay-inversion.js';
import { replaySigmoid } from './replay-sigmoid.js';

/** Runs a case with its settings and records what the comparison asks for. */
export async function replay(golden: GoldenCase): Promise<Replay> {
  const { hyper } = golden;
  switch (hyper.system) {
    case 'dladmm':
      return replayDladmm(golden, hyper);
    case 'inversion':
      return replayInversion(golden, hyper);
    case 'sigmoid':
      return replaySigmoid(golden, hyper);
  }
}
