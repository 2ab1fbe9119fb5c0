/**
 * The encoders of columns as ONNX: an input for each column, called by its name, N × 1, and behind them nodes that make of these the row
 * that the network takes in, as samples/encoder.ts does. Columns of one kind are joined first, so that there are few nodes. Numbers and
 * truth values come in float32, moments as milliseconds since 1970 in float64, texts as strings; NaN is missing, and so is what a text says
 * to be.
 */
import { DlAdmmError } from '../../core/errors.js';
import { missingCells } from '../../samples/cells.js';
import { type Column, inputsOfColumn, offsetsOf } from '../../samples/columns.js';
import { dateTurns } from '../../samples/dates.js';
import { doubles, initializer, matrix, node, type Part, wholeAttribute, wholeNumbers } from './draft.js';
import { ATTRIBUTE_TYPE, type Attribute, DATA_TYPE, type OnnxNode, type OnnxValue } from './schema.js';
import type { Draft } from './wire.js';

/** The node whose output is the encoded row: what stands before it is not read back, but the columns in the metadata. */
export const ENCODERS_NODE = 'encoders';
/** The metadata that dladmm reads back: the columns as JSON. */
export const COLUMNS_KEY = 'dladmm.columns';

/** What begins the name of a column's input within the parts of a graph, whose values have names of their own. */
export const COLUMN = 'column ';

/** What comes before a network, and the inputs of the whole graph. */
export interface Encoders extends Part {
  readonly inputs: readonly Draft<OnnxValue>[];
  /** The sets of operators that are needed besides. */
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
}

const isNumber = ({ categories, buckets, hash, date }: Column): boolean => !categories && !buckets && !hash && !date;

/** Why a column cannot be encoded in ONNX; undefined where it can. */
function obstacle({ name, buckets, hash = buckets, bins = [] }: Column): string | undefined {
  if (hash) return 'enters by the hash of its texts, for which ONNX has no operator';
  if (bins.some((edge, t) => t > 0 && !(Math.fround(edge) > Math.fround(bins[t - 1] as number)))) {
    return 'has edges of bins that float32, which ONNX is written in, does not tell apart';
  }
  return name === '' ? 'has no name' : undefined;
}

/**
 * The encoders that a graph begins with; undefined where it begins with the encoded row.
 *
 * @param asked what the caller says; if absent they are written where they can be, and a column is more than one number
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where they are asked for and cannot be, naming the column
 */
export function encodersFor(columns: readonly Column[] | undefined, asked: boolean | undefined): Encoders | undefined {
  if (asked === false) return undefined;
  const remedy = 'encoders: false (--no-encoders) writes the network alone, whose input is the encoded row';
  if (!columns) {
    if (!asked) return undefined;
    const text = `Expected a model with columns for options.encoders, but this one takes rows of numbers; ${remedy}`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
  }
  if (!asked && columns.every((column) => isNumber(column) && inputsOfColumn(column) === 1)) return undefined;
  for (const column of columns) {
    const why = obstacle(column);
    if (why === undefined) continue;
    const what = `column ${JSON.stringify(column.name)} ${why}`;
    if (asked) {
      const text = `Expected columns that ONNX can encode for options.encoders, but ${what}; ${remedy}`;
      throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
    }
    process.emitWarning(`The ONNX file has the network without its encoders, and takes encoded rows: ${what}`, {
      type: 'DlAdmmWarning',
      code: 'DLADMM_ENCODERS',
    });
    return undefined;
  }
  return encodersPart(columns);
}

/** Some inputs of the network as a matrix, and where each of its columns stands in the encoded row. */
interface Block extends Part {
  readonly value: string;
  readonly places: readonly number[];
}

/** A column, and where its inputs begin in the encoded row. */
interface Placed extends Column {
  readonly at: number;
}

const axis = (of: number): readonly Draft<Attribute>[] => [wholeAttribute('axis', of)];
const to = (type: number): readonly Draft<Attribute>[] => [wholeAttribute('to', type)];
const lastOf = (column: Placed): number => column.at + inputsOfColumn(column) - 1;

/** What is missing by what stands for it, and an input that says so. */
function filled(
  columns: readonly Placed[],
  kind: string,
  fills: Part['initializers'][number],
): readonly [Block, string] {
  const of = (part: string): string => `${kind}.${part}`;
  const marked = columns.flatMap((column, i) => (column.indicator ? [[i, lastOf(column)] as const] : []));
  const indices = wholeNumbers(
    of('marked'),
    marked.map(([i]) => i),
  );
  const names = columns.map(({ name }) => COLUMN + name);
  const joining = node('Concat', of('joining'), names, of('given'), axis(1));
  const filling = [
    node('IsNaN', of('looking'), [of('given')], of('missing')),
    node('Where', of('filling'), [of('missing'), fills.name, of('given')], of('filled')),
  ];
  const saying = [
    node('Cast', of('saying'), [of('missing')], of('flags'), to(DATA_TYPE.float)),
    node('Gather', of('choosing'), [of('flags'), indices.name], of('indicators'), axis(1)),
  ];
  const block: Block = {
    nodes: [joining, ...filling, ...saying],
    initializers: [fills, indices],
    value: of('indicators'),
    places: marked.map(([, place]) => place),
  };
  return [block, of('filled')];
}

function numberBlocks(columns: readonly Placed[]): readonly Block[] {
  if (columns.length === 0) return [];
  // Where nothing stands for what is missing NaN stays NaN, and so does the answer.
  const fills = columns.map(({ fill }) => (fill === undefined ? 0 : Number(fill)));
  const written = initializer('numbers.fills', [columns.length], fills);
  const filling = Float32Array.from(columns, ({ fill }) => (fill === undefined ? Number.NaN : Number(fill)));
  const [missing, value] = filled(columns, 'numbers', { ...written, raw: new Uint8Array(filling.buffer) });
  const own: Block = { nodes: [], initializers: [], value, places: columns.map(({ at }) => at) };
  const bins = columns.flatMap(({ bins: edges = [], at }, i) =>
    edges.slice(1).map((high, t) => ({ i, low: Math.fround(edges[t] as number), high, place: at + 1 + t })),
  );
  if (bins.length === 0) return [missing, own];
  const count = bins.length;
  const low = bins.map((bin) => bin.low);
  const width = bins.map((bin) => Math.fround(bin.high) - bin.low);
  const binned: Block = {
    initializers: [
      wholeNumbers(
        'bins.columns',
        bins.map(({ i }) => i),
      ),
      initializer('bins.low', [count], low),
      initializer('bins.width', [count], width),
      initializer('bins.least', [], [0]),
      initializer('bins.most', [], [1]),
    ],
    nodes: [
      node('Gather', 'bins.choosing', [value, 'bins.columns'], 'bins.numbers', axis(1)),
      node('Sub', 'bins.shifting', ['bins.numbers', 'bins.low'], 'bins.above'),
      node('Div', 'bins.scaling', ['bins.above', 'bins.width'], 'bins.share'),
      node('Clip', 'bins.clipping', ['bins.share', 'bins.least', 'bins.most'], 'bins.shares'),
    ],
    value: 'bins.shares',
    places: bins.map(({ place }) => place),
  };
  return [missing, own, binned];
}

/** Turns since a start in float64; the time is told by their number, a circle by the sine of the part of a turn. */
function dateBlocks(columns: readonly Placed[]): readonly Block[] {
  if (columns.length === 0) return [];
  const fills = doubles(
    'dates.fills',
    columns.map(({ fill }) => (fill === undefined ? Number.NaN : Number(fill))),
  );
  const [missing, value] = filled(columns, 'dates', fills);
  const parts = columns.flatMap(({ date = [], at }, i) =>
    date.map((part, k) => ({ ...dateTurns(part), i, place: at + k })),
  );
  const turns: Part = {
    initializers: [
      wholeNumbers(
        'dates.columns',
        parts.map(({ i }) => i),
      ),
      doubles(
        'dates.start',
        parts.map(({ start }) => start),
      ),
      doubles(
        'dates.period',
        parts.map(({ period }) => period),
      ),
      initializer(
        'dates.phase',
        [parts.length],
        parts.map(({ phase = 0 }) => phase),
      ),
      initializer('dates.circle', [], [2 * Math.PI]),
    ],
    nodes: [
      node('Gather', 'dates.spreading', [value, 'dates.columns'], 'dates.moments', axis(1)),
      node('Sub', 'dates.shifting', ['dates.moments', 'dates.start'], 'dates.since'),
      node('Div', 'dates.dividing', ['dates.since', 'dates.period'], 'dates.turns'),
      node('Floor', 'dates.counting', ['dates.turns'], 'dates.whole'),
      node('Sub', 'dates.parting', ['dates.turns', 'dates.whole'], 'dates.part'),
      node('Cast', 'dates.narrowing', ['dates.part'], 'dates.share', to(DATA_TYPE.float)),
      node('Mul', 'dates.turning', ['dates.share', 'dates.circle'], 'dates.turned'),
      node('Add', 'dates.phasing', ['dates.turned', 'dates.phase'], 'dates.angle'),
      node('Sin', 'dates.sine', ['dates.angle'], 'dates.sines'),
      node('Cast', 'dates.telling', ['dates.turns'], 'dates.times', to(DATA_TYPE.float)),
    ],
  };
  const placesWhere = (circle: boolean): readonly number[] =>
    parts.map(({ phase, place }) => ((phase !== undefined) === circle ? place : -1));
  return [
    missing,
    { ...turns, value: 'dates.times', places: placesWhere(false) },
    { nodes: [], initializers: [], value: 'dates.sines', places: placesWhere(true) },
  ];
}

function lookUp(
  name: string,
  input: string,
  output: string,
  table: ReadonlyMap<string, number>,
  otherwise: number,
): Draft<OnnxNode> {
  const attributes: readonly Draft<Attribute>[] = [
    { name: 'keys_strings', texts: [...table.keys()], type: ATTRIBUTE_TYPE.texts },
    { name: 'values_int64s', wholes: [...table.values()], type: ATTRIBUTE_TYPE.wholes },
    wholeAttribute('default_int64', otherwise),
  ];
  return node('LabelEncoder', name, [input], output, attributes, 'ai.onnx.ml');
}

/** One-hot inputs of a text. Where one that is unseen is refused, its place lies outside of a table, which no runtime can look up. */
function textBlocks(column: Placed, c: number): readonly Block[] {
  const { name, categories = [], other, fill, indicator, at } = column;
  const of = (part: string): string => `text${c}.${part}`;
  const own = categories.length + (other ? 1 : 0);
  const places = new Map(categories.map((text, i) => [text, i]));
  const missing = fill === undefined ? [] : missingCells();
  // Without a place of its own a text has the one behind the last: that of the others, or one that is not there.
  const filling = places.get(String(fill)) ?? categories.length;
  const slots = new Map([...places, ...missing.map((text) => [text, filling] as const)]);
  const flags = new Map(missing.map((text) => [text, 1]));
  const oneHot: Block = {
    initializers: [
      wholeNumbers(
        of('known'),
        Array.from({ length: own }, (_, i) => i),
      ),
      wholeNumbers(of('depth'), own),
      initializer(of('values'), [2], [0, 1]),
      wholeNumbers(of('axes'), [1]),
    ],
    nodes: [
      lookUp(of('finding'), COLUMN + name, of('slot'), slots, categories.length),
      node('Gather', of('checking'), [of('known'), of('slot')], of('place'), axis(0)),
      node('OneHot', of('encoding'), [of('place'), of('depth'), of('values')], of('rows')),
      node('Squeeze', of('flattening'), [of('rows'), of('axes')], of('inputs')),
    ],
    value: of('inputs'),
    places: Array.from({ length: own }, (_, i) => at + i),
  };
  if (!indicator) return [oneHot];
  const said: Block = {
    initializers: [],
    nodes: [
      lookUp(of('looking'), COLUMN + name, of('missing'), flags, 0),
      node('Cast', of('saying'), [of('missing')], of('indicator'), to(DATA_TYPE.float)),
    ],
    value: of('indicator'),
    places: [lastOf(column)],
  };
  return [oneHot, said];
}

/** The encoders of columns, from an input for each to `x`, the encoded row. */
function encodersPart(columns: readonly Column[]): Encoders {
  const { offsets, inputs } = offsetsOf(columns);
  const placed = columns.map((column, c): Placed => ({ ...column, at: offsets[c] as number }));
  const blocks = [
    ...numberBlocks(placed.filter(isNumber)),
    ...dateBlocks(placed.filter(({ date }) => date)),
    ...placed.filter(({ categories }) => categories).flatMap(textBlocks),
  ];
  const places = blocks.flatMap((block) => block.places);
  const order = new Int32Array(inputs);
  for (const [from, place] of places.entries()) if (place >= 0) order[place] = from;
  const indices = wholeNumbers('encoders.order', [...order]);
  const used = blocks.filter((block) => block.places.length > 0);
  return {
    inputs: columns.map(({ name, categories, date }) =>
      matrix(COLUMN + name, 1, categories ? DATA_TYPE.string : date ? DATA_TYPE.double : DATA_TYPE.float),
    ),
    opsets: columns.some(({ categories }) => categories) ? [{ domain: 'ai.onnx.ml', version: 2 }] : [],
    initializers: [...blocks.flatMap(({ initializers }) => initializers), indices],
    nodes: [
      ...blocks.flatMap(({ nodes }) => nodes),
      node(
        'Concat',
        'joining',
        used.map(({ value }) => value),
        'joined',
        axis(1),
      ),
      node('Gather', ENCODERS_NODE, ['joined', indices.name], 'x', axis(1)),
    ],
  };
}
