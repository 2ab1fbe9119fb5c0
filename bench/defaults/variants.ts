import { a, type MinibatchOptions, type Update, W, z } from 'dladmm/solvers';

/** dlADMM's own backward order: W_l as soon as its target stands, so that a_{l−1} meets the new W_l. */
function* interleaved(L: number): Generator<Update> {
  yield z(L);
  yield W(L);
  for (let l = L - 1; l >= 1; l -= 1) {
    yield a(l);
    yield z(l);
    yield W(l);
  }
}

type Own = Partial<Omit<MinibatchOptions, 'solver' | 'layers'>>;

/** What was tried beside the defaults, one change at a time; δ and η move together where the damping changes. */
export const VARIANTS: Readonly<Record<string, Own>> = {
  default: {},
  'W before the next a': { sweep: interleaved },
  'full Gram matrix': { gram: 'full' },
  'rank 8': { rank: 8 },
  'rank 32': { rank: 32 },
  'rank 64': { rank: 64 },
  'damping 1, step 0.12': { damping: 1, learningRate: 0.12 },
  'damping 16, step 1.4': { damping: 16, learningRate: 1.4 },
  'Gram matrix every batch': { gramEvery: 1 },
  'Gram matrix every 40th batch': { gramEvery: 40 },
  'this Gram matrix alone': { gramMemory: 0, gramEvery: 1 },
  'no look ahead': { nesterov: false },
  'momentum 0.8, step 0.8': { momentum: 0.8, learningRate: 0.8 },
  'batches of 256': { batchSize: 256 },
  'batches of 1024': { batchSize: 1024 },
};
