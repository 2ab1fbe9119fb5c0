import { DlAdmmError } from 'dladmm';

export { countOf } from './tasks/options.js';

/**
 * The names in a list such as `x2,uv`, each once, in its order.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT for one that is not known
 */
export function chosen<T extends string>(list: string, known: readonly T[], name: string): readonly T[] {
  const names = list.split(',').map((each) => each.trim());
  return [...new Set(names)].map((each) => {
    const found = known.find((one) => one === each);
    if (found !== undefined) return found;
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      `Expected some of ${known.join(', ')} for ${name} but received ${JSON.stringify(each)}`,
    );
  });
}
