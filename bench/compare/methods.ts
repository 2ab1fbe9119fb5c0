import { DlAdmmError, type DladmmOptions } from 'dladmm';

/** What of the options every method is given alike. */
export type CommonOptions = Pick<
  DladmmOptions,
  'layers' | 'iterations' | 'seed' | 'dtype' | 'threads' | 'trainMetrics' | 'evaluateEvery'
>;

/** The methods by name, each with what sets it apart from the defaults. A new solver is one line. */
export const METHODS: Readonly<Record<string, Omit<DladmmOptions, keyof CommonOptions>>> = {
  dladmm: {},
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
