import type { TopLevelSpec } from 'vega-lite';

/** What turns a specification into an SVG. */
export type Charts = (specification: TopLevelSpec) => Promise<string>;

/** The one line that is said where they are missing. */
export const HOW_TO_HAVE_CHARTS = 'no picture without vega: npm install vega vega-lite, and run this again';

const loadVega = async (): Promise<Charts> => {
  const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  return (specification) => new View(parse(compile(specification).spec), { renderer: 'none' }).toSVG();
};

/**
 * The charting libraries, loaded only where a picture is wanted: the installed package comes without them.
 *
 * @returns undefined where they are not installed
 */
export async function loadCharts(load: () => Promise<Charts> = loadVega): Promise<Charts | undefined> {
  try {
    return await load();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
