/** What the command line chooses by itself; the options of training have theirs in the library's DEFAULTS. */

/** Of a file without a test part, the share of samples to test on. */
export const TEST_SHARE = 0.2;

/** With early stopping, the share of training samples to watch. */
export const VALIDATION_SHARE = 0.1;

/** `dladmm start`: half a minute on two cores. */
export const START = { timeLimit: 60 } as const;

/** Hidden layers as wide as the number of samples can bear. */
export function defaultLayers(inputs: number, outputs: number, samples: number): readonly number[] {
  const width = samples >= 10_000 ? 256 : samples >= 1000 ? 100 : 32;
  return [inputs, width, width, outputs];
}
