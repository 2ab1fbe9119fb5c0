import { DlAdmmError, type LayeredOptions } from 'dladmm';

/** What of the options every method is given alike. */
export type SharedOptions = Pick<
  LayeredOptions,
  'layers' | 'iterations' | 'seed' | 'dtype' | 'threads' | 'trainMetrics' | 'evaluateEvery'
>;

type Own<Options> = Options extends unknown ? Omit<Options, keyof SharedOptions> : never;

const GAUSSIAN = { hidden: 'gaussian', output: 'gaussian' } as const;
const FORWARD = { hidden: 'forward', output: 'signed-labels' } as const;

/** The methods by name, each with what sets it apart from the defaults. A new solver is one line. */
export const METHODS: Readonly<Record<string, Own<LayeredOptions>>> = {
  dladmm: { solver: 'dladmm' },
  'inversion-admm': { solver: 'inversion-admm' },
  // The choices that the paper leaves open: where z and a begin, and γ.
  'inversion-gaussian-1': { solver: 'inversion-admm', gamma: 1, start: GAUSSIAN },
  'inversion-gaussian-10': { solver: 'inversion-admm', gamma: 10, start: GAUSSIAN },
  'inversion-forward-1': { solver: 'inversion-admm', gamma: 1, start: FORWARD },
  'inversion-forward-10': { solver: 'inversion-admm', gamma: 10, start: FORWARD },
};

/**
 * The names in a list such as `dladmm,inversion-admm`, in its order.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT for a method that does not exist
 */
export function methodNames(list: string): readonly string[] {
  const names = list.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !Object.hasOwn(METHODS, name));
  if (unknown !== undefined) {
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      `Expected some of ${Object.keys(METHODS).join(', ')} for --methods but received ${JSON.stringify(unknown)}`,
    );
  }
  return [...new Set(names)];
}
