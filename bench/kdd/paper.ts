/** The comparison of the KDD 2019 paper (figures 4 and 5): full batch, 784-1000-1000-10, one step an iteration. */

export const METHODS = ['sgd', 'adagrad', 'adadelta', 'adam'] as const;
export type Method = (typeof METHODS)[number];

/** The paper's learning rates. That of SGD only makes sense for a loss summed over the samples. */
export const LEARNING_RATES: Readonly<Record<Method, number>> = {
  sgd: 1e-6,
  adagrad: 1e-3,
  adadelta: 0.1,
  adam: 1e-3,
};

/** The paper does not say how its networks begin. */
export const STARTS = { gaussian: { gaussian: 0.1 }, he: 'he', glorot: 'glorot' } as const;
export type Start = keyof typeof STARTS;

/** Training accuracies at iterations 10 and 25, and test accuracy at 195, read from the figures (± .001). */
export interface PaperCurve {
  readonly train10: number;
  readonly train25: number;
  readonly test195: number;
}

export const PAPER: Readonly<Record<string, Readonly<Record<Method, PaperCurve>>>> = {
  mnist: {
    sgd: { train10: 0.7626, train25: 0.8498, test195: 0.937 },
    adagrad: { train10: 0.7673, train25: 0.8608, test195: 0.946 },
    adadelta: { train10: 0.2138, train25: 0.5097, test195: 0.9306 },
    adam: { train10: 0.8379, train25: 0.9166, test195: 0.9747 },
  },
  'fashion-mnist': {
    sgd: { train10: 0.6624, train25: 0.7581, test195: 0.8356 },
    adagrad: { train10: 0.6939, train25: 0.7636, test195: 0.8333 },
    adadelta: { train10: 0.3275, train25: 0.5674, test195: 0.8104 },
    adam: { train10: 0.6371, train25: 0.7775, test195: 0.8767 },
  },
};
