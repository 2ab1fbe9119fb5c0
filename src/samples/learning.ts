/** What a training set teaches about its columns: how the values of each become inputs of a network. */
import { DlAdmmError, expected, messageOf, quoted } from '../core/errors.js';
import { type Complete, completed, NOTHING, type OptionsOf, type Schema, whole, word } from '../network/schema.js';
import { breathe, inTurns, turn } from '../tensor/inputs.js';
import { learnBins, mostBins } from './bins.js';
import { isCode } from './cells.js';
import type { Column } from './columns.js';
import { DATE_PARTS, type DatePart, datePart } from './dates.js';
import { type ColumnPlace, checkDifferent, checkLeft, IGNORE, placeOf } from './features.js';
import { type Frame, type FrameColumn, type Mixture, placeText, single, valueAt } from './frame.js';
import { HASHING, pairsOf } from './hashed.js';
import { tellingRows } from './targets.js';

/** What is to be known of a column, or of several. */
export interface ColumnNote {
  /** The name, or the names with commas between them. */
  readonly column: string;
  readonly kind:
    | 'missing'
    | 'all-missing'
    | 'constant'
    | 'identifier'
    | 'hashed'
    | 'mixed'
    | 'code'
    | 'looks'
    | 'unseen'
    | 'all-unseen';
  /** A line that names the column. */
  readonly text: string;
}

/** How the values of columns become inputs. */
export const LEARNING = {
  ignore: IGNORE,
  missing: word(['impute', 'error'], {
    default: 'impute',
    says: "Of a table: 'impute' fills in medians and the most frequent texts for missing values, and adds an input that says so; 'error' refuses.",
    help: "'impute' takes the median, or the most frequent text (docs/data.md)",
  }),
  categories: whole(
    1,
    {
      default: 100,
      says: 'Of a table: the most different texts of a column that get an input each.',
      help: 'columns of texts are found by themselves (docs/data.md)',
    },
    2 ** 20,
  ),
  buckets: whole(
    1,
    {
      default: 64,
      says: 'Of a table: the inputs of a column with more texts, of which the hash of a text chooses one.',
    },
    2 ** 20,
  ),
  ...HASHING,
  bins: whole(
    0,
    {
      otherwise: '32, fewer of few rows or many columns',
      says: 'Of a table: the most bins of a column of numbers, 0 for none.',
    },
    1024,
  ),
} as const satisfies Schema;

export interface LearningOptions extends OptionsOf<typeof LEARNING> {
  /** The columns that are to be predicted, and others that are no features. */
  readonly target?: ColumnPlace | readonly ColumnPlace[];
  /** The columns that are features. Default: all others that have something to teach. */
  readonly columns?: readonly ColumnPlace[];
}

/** A share of texts in a column of numbers below which they are a damage rather than a code. */
const DAMAGE = 0.05;
/** So few rows say nothing about whether a column is an identifier, or a text rare. */
const FEW = 20;
/** As many values as give the median of a column of which none is missing, and of one of which some are. */
const MEDIAN_ROWS = { complete: 2001, others: 50_000 } as const;

const list = <T>(given: T | readonly T[]): readonly T[] => (Array.isArray(given) ? given : [given as T]);

function chosen(frame: Frame, { target = [], columns, ignore = [] }: LearningOptions): readonly number[] {
  const names = frame.columns.map(({ name }) => name);
  const places = (which: readonly ColumnPlace[], option: string): readonly number[] =>
    which.map((each) => placeOf(each, names, option, frame.name));
  const targets = places(list(target), 'target');
  const left = places(ignore, 'ignore');
  const wanted = columns && places(columns, 'columns');
  const twice = wanted?.find((place) => targets.includes(place));
  if (twice !== undefined) throw expected('features other than the target', 'columns', names[twice]);
  checkLeft(left, targets, wanted ?? [], names);
  const found = wanted ?? names.flatMap((_, place) => (targets.includes(place) || left.includes(place) ? [] : [place]));
  checkDifferent([...found, ...targets], names, frame.name);
  return found;
}

/** The event loop runs in between. */
async function median(column: FrameColumn): Promise<number> {
  if (column.kind === 'text') return 0;
  const { values, missing } = column;
  const told = new Float64Array(values.length);
  let count = 0;
  await inTurns(values.length, (i) => {
    if (!Number.isNaN(values[i])) told[count++] = values[i] as number;
  });
  const step = Math.max(1, Math.floor(count / (missing === 0 ? MEDIAN_ROWS.complete : MEDIAN_ROWS.others)));
  const some = Math.ceil(count / step);
  for (let i = 1; i < some; i += 1) told[i] = told[i * step] as number;
  const sorted = told.subarray(0, some).sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  // Of true and false there is no middle.
  return sorted.length % 2 || column.kind === 'boolean' ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}

/** The texts that occur so often at least, and the most frequent of them; of equals, the first by code unit. */
function counted({ codes, texts }: Extract<FrameColumn, { texts: unknown }>) {
  const counts = new Float64Array(texts.length);
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i] as number;
    if (code >= 0) counts[code] = (counts[code] as number) + 1;
  }
  let [most, first] = [0, ''];
  for (const [code, text] of texts.entries()) {
    const count = counts[code] as number;
    if (count > most || (count === most && text < first)) [most, first] = [count, text];
  }
  return {
    first,
    atLeast: (least: number): readonly string[] => texts.filter((_, c) => (counts[c] as number) >= least),
  };
}

/** Whether a column varies; whether all its values differ; whether they count up by one. */
async function variety(column: FrameColumn, rows: number) {
  if (column.kind === 'text') {
    const used = new Uint8Array(column.texts.length);
    const { codes } = column;
    await inTurns(codes.length, (i) => {
      if ((codes[i] as number) >= 0) used[codes[i] as number] = 1;
    });
    const distinct = used.reduce((sum, is) => sum + is, 0);
    return { constant: distinct < 2, distinct, counts: false };
  }
  const { values } = column;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const step = (values[1] ?? 0) - (values[0] ?? 0);
  let counts = column.kind === 'number' && rows >= FEW && Math.abs(step) === 1;
  await inTurns(values.length, (i) => {
    const value = values[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
    counts &&= i === 0 || value - (values[i - 1] as number) === step;
  });
  if (high - low === Number.POSITIVE_INFINITY) {
    throw expected('numbers nearer to each other', `column ${quoted(column.name)}`, high, 'ERR_DLADMM_RANGE');
  }
  const constant = !(high > low);
  return { constant, distinct: constant ? 1 : Number.NaN, counts };
}

const ID_NAME = /(?:^|[_\s.-])(?:id|uuid|guid|key|index|nr|no)$|[a-z]I[dD]$/i;

async function isIdentifier(
  column: FrameColumn,
  rows: number,
  { distinct, counts }: Awaited<ReturnType<typeof variety>>,
): Promise<boolean> {
  if (rows < FEW || column.kind === 'boolean' || column.kind === 'date') return false;
  const told = rows - column.missing;
  if (column.kind === 'text') {
    // Sentences differ too, and say something.
    const words = column.texts.slice(0, 200).filter((text) => /\s\S+\s/.test(text)).length;
    return distinct > 1 && distinct >= 0.95 * told && words < 100 && words < column.texts.length / 2;
  }
  const { values } = column;
  let whole = true;
  await inTurns(rows, (row) => {
    const value = values[row] as number;
    whole &&= Number.isNaN(value) || Number.isInteger(value);
  });
  if (!whole || counts || !ID_NAME.test(column.name)) return whole && counts;
  const different = new Set<number>();
  await inTurns(rows, (row) => different.add(values[row] as number));
  return different.size >= 0.95 * told;
}

/** The parts of a date that vary in the training set. */
async function partsOf(column: Extract<FrameColumn, { values: unknown }>): Promise<readonly DatePart[]> {
  const { values } = column;
  const varies = async (part: DatePart): Promise<boolean> => {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    await inTurns(values.length, (i) => {
      const moment = values[i] as number;
      if (Number.isNaN(moment)) return;
      const value = datePart(moment, part);
      low = Math.min(low, value);
      high = Math.max(high, value);
    });
    return high - low > 1e-9;
  };
  const parts: DatePart[] = [];
  for (const part of DATE_PARTS) if (await varies(part)) parts.push(part);
  return parts.length > 0 ? parts : ['time'];
}

const binsOf = ({ kind, values }: Extract<FrameColumn, { values: unknown }>, most = 0): Pick<Column, 'bins'> => {
  const bins = kind === 'number' && most > 1 ? learnBins(values, most) : [];
  return bins.length > 0 ? { bins } : {};
};

/** How a column that has something to teach becomes inputs. */
async function learnColumn(
  column: FrameColumn,
  rows: number,
  options: Complete<typeof LEARNING>,
  note: (kind: ColumnNote['kind'], text: string) => void,
): Promise<Column> {
  await breathe();
  const { name, missing } = column;
  const { categories: most, buckets } = options;
  const impute = options.missing !== 'error';
  const indicator = impute && missing > 0 ? ({ indicator: true } as const) : {};
  const share = `${Number(((100 * missing) / rows).toPrecision(3))} %`;
  const told = (fill: number | string): void => {
    if (missing > 0)
      note(
        'missing',
        `column ${quoted(name)}: ${missing} of ${rows} values are missing (${share}); ${fill} stands for them, and an input says so`,
      );
  };
  if (column.kind !== 'text') {
    const fill = await turn(await median(column));
    told(column.kind === 'date' ? new Date(fill).toISOString() : fill);
    const known = { ...(impute && { fill }), ...indicator };
    return column.kind === 'date'
      ? { name, date: await partsOf(column), ...known }
      : { name, ...(await turn(binsOf(column, options.bins))), ...known };
  }
  const { hash } = options;
  if (hash !== undefined) return { name, hash, fill: '' };
  const { first: fill, atLeast } = await turn(counted(column));
  told(quoted(fill));
  const all = await turn(atLeast(1));
  const known = { ...(impute && { fill }), ...indicator };
  if (all.length > most) {
    note(
      'hashed',
      `column ${quoted(name)}: ${all.length} different texts, more than ${most}, enter ${buckets} inputs by their hash; categories: ${all.length} gives each its own`,
    );
    return { name, buckets, ...known };
  }
  // Texts that came but once teach the network about those that never came.
  const common = atLeast(2);
  const kept = rows >= FEW && common.length > 0 ? common : all;
  return { name, categories: kept.toSorted(), other: true, ...known };
}

/**
 * Learns from a training set which of its columns are features, and how their values become inputs. `notes` tell what a person
 * should know of it, `places` where the columns stand.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT for a column that is not there, for a missing value with `missing: 'error'`, and for a column
 *   of numbers in which some values are texts; ERR_DLADMM_SHAPE where no column has anything to teach
 */
export async function learnColumns(
  frame: Frame,
  options: LearningOptions = {},
): Promise<{
  readonly columns: readonly Column[];
  readonly notes: readonly ColumnNote[];
  readonly places: readonly number[];
}> {
  const learning = completed(LEARNING, options, '', NOTHING);
  const { rows, name: called } = frame;
  const numbers = frame.columns.filter(({ kind }) => kind === 'number').length;
  const { bins = mostBins(tellingRows(frame, list(options.target ?? [])[0]), numbers) } = options;
  const notes: ColumnNote[] = [];
  const constant: string[] = [];
  const columns: Column[] = [];
  const asked = options.columns !== undefined;
  const places: number[] = [];
  for (const place of chosen(frame, options)) {
    const column = frame.columns[place] as FrameColumn;
    const { name, missing, mixture } = column;
    const note = (kind: ColumnNote['kind'], text: string): void => void notes.push({ column: name, kind, text });
    await breathe();
    await column.fetch?.();
    if (column.refused && (asked || missing < rows)) {
      const help = 'null says that a value is missing, ignore leaves a column out';
      throw new DlAdmmError(column.refused.code, `${column.refused.message}; ${help}`, { cause: column.refused });
    }
    if (!column.refused) single(column, called);
    if (missing === rows) {
      const why = column.refused ? messageOf(column.refused) : 'all its values are missing';
      note('all-missing', `column ${quoted(name)} is left out: ${why}`);
      continue;
    }
    if (missing > 0 && options.missing === 'error') {
      const row = Array.from({ length: rows }, (_, i) => i).find((i) => valueAt(column, i) === null) as number;
      throw expected('a value', `${placeText(frame, row)} of column ${quoted(name)} of ${called}`, null);
    }
    if (mixture && column.code === undefined) mixed(mixture, frame, name, note);
    if (column.code !== undefined) {
      const why = 'begin with zeros, as codes do: all of them are taken for texts';
      note('code', `column ${quoted(name)}: some of its numbers (${quoted(column.code)}) ${why}`);
    }
    if (column.flags) {
      note('mixed', `column ${quoted(name)} holds numbers and true and false: these are taken for 1 and 0`);
    }
    const look = column.kind === 'text' && !mixture && column.code === undefined ? looks(column) : undefined;
    if (look !== undefined) note('looks', look);
    const various = await variety(column, rows);
    if (various.constant && missing === 0) {
      constant.push(name);
      continue;
    }
    if (await isIdentifier(column, rows, various)) {
      const left = asked ? 'it is taken, as columns names it' : 'it is left out; columns takes it';
      note('identifier', `column ${quoted(name)} seems to be an identifier, different in every row: ${left}`);
      if (!asked) continue;
    }
    columns.push(await learnColumn(column, rows, { ...learning, bins }, note));
    places.push(place);
  }
  if (constant.length > 0) {
    const listed = constant.length > 10 ? [...constant.slice(0, 10), `${constant.length - 10} more`] : constant;
    const [what, left] =
      constant.length === 1 ? ['column', 'is left out: it never varies'] : ['columns', 'are left out: they never vary'];
    notes.push({
      column: constant.join(', '),
      kind: 'constant',
      text: `${what} ${listed.map((name) => (constant.includes(name) ? quoted(name) : name)).join(', ')} ${left}`,
    });
  }
  columns.push(...pairsOf(frame, learning, list(options.target ?? [])));
  if (columns.length === 0) {
    const chosen = asked
      ? 'columns names none'
      : options.ignore?.length
        ? 'ignore leaves none'
        : 'there is none beside the target';
    const why = notes.map(({ text }) => text).join('; ') || chosen;
    const message = `Expected a column of ${called} that can be learnt from but found none: ${why}`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', message);
  }
  return { columns, notes, places };
}

/** Numbers and dates in a form in which they may mean several things, or are no plain ones. */
const LOOKS: readonly (readonly [what: string, form: RegExp, help: string])[] = [
  [
    'numbers',
    /^[+-]?[$€£¥]? ?[+-]?(?:\d+|\d{1,3}(?:[.,'’\s]\d{3})+)(?:[.,]\d+)? ?(?:[%$€£¥]|[kKmM])?$/,
    "plain numbers (1234.5), and decimal: ',' of a CSV file, say how large they are",
  ],
  [
    'dates',
    /^(?:\d\d?[/.-]\d\d?[/.-](?:\d\d){1,2}|\d\d? ?[A-Za-z]{3,9}\.? ?\d{2,4})(?:[ T].*)?$/,
    '2024-01-31 says when it was',
  ],
  ['times of day', /^\d\d?:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[ap]m)?$/i, 'hours as a number say when it was'],
];
/** So many different texts say what a column looks like, and such a share of them. */
const LOOKED_AT = 200;
const LOOK_ALIKE = 0.9;

/** Texts that look as if they were something else. */
function looks({ name, texts }: Extract<FrameColumn, { texts: unknown }>): string | undefined {
  const some = texts.slice(0, LOOKED_AT);
  if (some.some(isCode)) return undefined;
  const found = LOOKS.find(
    ([, form]) => some.filter((text) => text.length < 40 && form.test(text)).length > LOOK_ALIKE * some.length,
  );
  if (found === undefined) return undefined;
  const [what, , help] = found;
  return `column ${quoted(name)} is taken for texts, though they look like ${what} (${quoted(some[0] ?? '')}): ${help}`;
}

/** A column of numbers in which some are texts: a code where there are many of them, a damage where there are few. */
function mixed(
  { most, numbers, texts, row, text, place }: Mixture,
  frame: Frame,
  name: string,
  note: (kind: 'mixed', text: string) => void,
): void {
  const others = `${texts} ${texts === 1 ? 'other value' : 'others'}`;
  const found = `${numbers} ${most} and ${others} (${quoted(text.slice(0, 40))} in ${place ?? placeText(frame, row)})`;
  if (most !== 'booleans' && texts < DAMAGE * (numbers + texts)) {
    const what = `Expected values of one kind in column ${quoted(name)} of ${frame.name} but found ${found}: null, an empty text, NA and ? say that a value is missing; ignore leaves a column out`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', what);
  }
  note('mixed', `column ${quoted(name)} holds ${found}: all of them are taken for texts`);
}
