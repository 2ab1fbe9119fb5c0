/** What `bench:classify` chooses from, on validation samples. */
export const METHODS = ['sigmoid-admm', 'adam'] as const;
export type Method = (typeof METHODS)[number];

/** As JSON holds it. */
export type Setting =
  | { readonly method: 'sigmoid-admm'; readonly width: number; readonly gain: number; readonly lambda: number }
  | { readonly method: 'adam'; readonly width: number; readonly rate: number; readonly batchSize: number };

const WIDTHS = [100, 300];

/** The cheaper ones first: of equals the first is taken. */
export const GRIDS: Readonly<Record<Method, readonly Setting[]>> = {
  'sigmoid-admm': WIDTHS.flatMap((width) =>
    [1, 3, 8, 20].flatMap((gain) =>
      [1e-6, 1e-2, 1, 10, 100].map((lambda) => ({ method: 'sigmoid-admm', width, gain, lambda }) as const),
    ),
  ),
  adam: WIDTHS.flatMap((width) =>
    [128, 32].flatMap((batchSize) =>
      [1e-3, 3e-3, 1e-2, 3e-2].map((rate) => ({ method: 'adam', width, rate, batchSize }) as const),
    ),
  ),
};

/** In words, for tables. */
export function settingText(setting: Setting): string {
  return setting.method === 'adam'
    ? `width ${setting.width}, rate ${setting.rate}, batch ${setting.batchSize}`
    : `width ${setting.width}, gain ${setting.gain}, λ ${setting.lambda < 1e-2 ? setting.lambda.toExponential() : setting.lambda}`;
}
