/** Options that have no meaning beside others: they are refused, where they would be left out in silence. */
import { refused } from '../core/errors.js';
import { kebab } from './solver-flags.js';

/** The first of some options that was given, as it is typed; undefined where none was. */
export function givenOf(names: readonly string[], flags: object): string | undefined {
  const [name, value] = Object.entries(flags).find(([key, each]) => each !== undefined && names.includes(key)) ?? [];
  return name && `--${value === false ? 'no-' : ''}${kebab(name)}`;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where one of some options was given */
export function checkWithout(names: readonly string[], flags: object, what: string, why: string): void {
  const given = givenOf(names, flags);
  if (given !== undefined) throw refused(`Expected no ${given} with ${what}: ${why}`);
}
