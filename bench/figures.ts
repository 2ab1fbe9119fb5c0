/**
 * Draws the pictures of the documentation from the results in bench/results: all of them, or those that are named.
 *
 * A result that is missing is told, and its picture left as it is. `bench:peers` and `bench:sooner` draw one each.
 */
import { join } from 'node:path';
import { DlAdmmError } from 'dladmm';
import { FIGURES, type FigureName } from './figures/list.js';
import { draw, HOW_TO_HAVE_CHARTS, loadCharts } from './harness/figures.js';
import { file, program, some } from './harness/program.js';
import { fromRoot } from './harness/results.js';

const NAMES = Object.keys(FIGURES) as FigureName[];

await program({ only: some(NAMES), out: file }, async ({ only, out = fromRoot('docs') }) => {
  if ((await loadCharts()) === undefined) throw new DlAdmmError('ERR_DLADMM_FILE', HOW_TO_HAVE_CHARTS);
  const drawn = only.map((name) => join(out, `${name}.svg`));
  for (const [i, name] of only.entries()) await draw(drawn[i] as string, await FIGURES[name]());
  return { result: { drawn }, text: `${drawn.length} pictures` };
});
