/** What `bench:classify` chooses from, on validation samples. */
export const METHODS = ['sigmoid-admm', 'adam'] as const;
export type Method = (typeof METHODS)[number];

/** The width of every hidden layer, and the options of the method. */
export interface Setting {
  readonly width: number;
  readonly [option: string]: unknown;
}

const WIDTHS = [100, 300];

/** The cheaper ones first: of equals the first is taken. */
export const GRIDS: Readonly<Record<Method, readonly Setting[]>> = {
  'sigmoid-admm': WIDTHS.flatMap((width) =>
    [1, 3, 8, 20].flatMap((gain) =>
      [1e-6, 1e-2, 1, 10, 100].map((l2) => ({ width, l2, initialisation: { scheme: 'msra', gain } })),
    ),
  ),
  adam: WIDTHS.flatMap((width) =>
    [128, 32].flatMap((batchSize) =>
      [1e-3, 3e-3, 1e-2, 3e-2].map((learningRate) => ({ width, learningRate, batchSize })),
    ),
  ),
};
