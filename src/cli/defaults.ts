/** What the command line chooses by itself; the options of training have theirs in the library's DEFAULTS. */

/** Of arrays without a test part, the share of samples to test on. */
export const TEST_SHARE = 0.2;

/** `dladmm start`: half a minute on two cores. */
export const START = { timeLimit: 60 } as const;
