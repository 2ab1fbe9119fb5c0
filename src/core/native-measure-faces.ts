/** What the C++ addon is asked to measure. */
import type { Dtype } from './native-faces.js';
import type { NativeFeatures } from './native-graph-faces.js';

interface NativeMeasureOptions {
  readonly dtype: Dtype;
  readonly threads: number;
  readonly repeats: number;
}

export interface NativeProductOptions extends NativeMeasureOptions {
  readonly product: 'gradient' | 'image' | 'back';
  readonly way: 'openblas' | 'team-blocks' | 'team-shares' | 'team-slices';
  readonly samples: number;
  readonly inputs: number;
  readonly outputs: number;
}

export interface NativePassOptions extends NativeMeasureOptions {
  readonly count: number;
}

export interface NativeSparseProductOptions extends NativeMeasureOptions {
  readonly adjacency: Required<NativeFeatures>;
  readonly columns: number;
}
