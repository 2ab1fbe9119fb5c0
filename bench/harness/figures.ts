/** Pictures of results: Vega-Lite, loaded only where one is wanted. */
import type { TopLevelSpec } from 'vega-lite';
import { say } from './program.js';
import { write } from './results.js';

export type { TopLevelSpec };

/** What turns a specification into an SVG. */
export type Charts = (specification: TopLevelSpec) => Promise<string>;

/** The one line that is said where they are missing. */
export const HOW_TO_HAVE_CHARTS = 'no picture without vega: npm install vega vega-lite, and run this again';

const loadVega = async (): Promise<Charts> => {
  const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  return async (specification) =>
    rounded(await new View(parse(compile(specification).spec), { renderer: 'none' }).toSVG());
};

/** Nobody sees less than a tenth of a pixel. */
const rounded = (svg: string): string =>
  svg.replaceAll(/\d+\.\d{3,}/g, (text) => String(Number(Number(text).toFixed(1))));

/**
 * The charting libraries: the installed package comes without them.
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

/** Draws into a file and says so; where the libraries are missing, says how to have them. */
export async function draw(file: string, specification: TopLevelSpec): Promise<void> {
  const charts = await loadCharts();
  if (charts === undefined) return say(HOW_TO_HAVE_CHARTS);
  await write(file, await charts(specification));
  say(`wrote ${file}`);
}

/** A specification from its body. */
export const figure = <Body extends object>(body: Body): TopLevelSpec =>
  ({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    // Where a page shows the file as a picture, what it says of its parts is read by nobody.
    config: { aria: false },
    ...body,
  }) as unknown as TopLevelSpec;

interface Axis {
  readonly title?: string | null;
  readonly scale?: object;
  readonly axis?: object;
  readonly aggregate?: string;
}

/** A quantity along an axis. */
export const along = (field: string, options: Axis = {}) =>
  ({ field, type: 'quantitative', title: field, ...options }) as const;

/** The same on a logarithmic scale. */
export const logAlong = (field: string, { scale, axis, ...options }: Axis = {}) =>
  along(field, { scale: { type: 'log', ...scale }, axis: { format: '.0e', ...axis }, ...options });

/** A colour for each name. */
export const coloured = (field: string, options: object = {}) =>
  ({ field, type: 'nominal', title: null, legend: { labelLimit: 300 }, ...options }) as const;

interface Lines {
  readonly title?: string | object;
  readonly values?: readonly object[];
  readonly size?: readonly [width: number, height: number];
  readonly x: object;
  readonly y: object;
  readonly color: object;
  readonly strokeDash?: object;
  /** The size of the points on the lines; none where it is not given. */
  readonly point?: number;
}

/** A panel of lines. */
export const lines = ({ title, values, size: [width, height] = [320, 240], point, ...encoding }: Lines) => ({
  width,
  height,
  ...(title !== undefined && { title }),
  ...(values && { data: { values: [...values] } }),
  mark: { type: 'line', strokeWidth: 1.5, clip: true, ...(point !== undefined && { point: { size: point } }) },
  encoding,
});
