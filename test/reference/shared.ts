import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The optional folder with golden cases and data sets: `DLADMM_SHARED`, or `shared` beside the repository. */
export const sharedFolder: string =
  process.env.DLADMM_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));

/** Why tests that need `parts` inside the shared folder cannot run, or undefined if they can. */
export function missingShared(...parts: readonly string[]): string | undefined {
  const path = join(sharedFolder, ...parts);
  return existsSync(path) ? undefined : `${path} is missing; DLADMM_SHARED names the folder with the golden cases`;
}
