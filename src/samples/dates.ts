/** Moments in time, and the parts of them that a network can use. */

/** The time in days since 1970, or one of two coordinates on the circle of the year, of the week, or of the day (UTC). */
export type DatePart = 'time' | 'year-sin' | 'year-cos' | 'week-sin' | 'week-cos' | 'day-sin' | 'day-cos';

export const DATE_PARTS: readonly DatePart[] = [
  'time',
  'year-sin',
  'year-cos',
  'week-sin',
  'week-cos',
  'day-sin',
  'day-cos',
];

const DAY = 86_400_000;
const YEAR = 365.2425 * DAY;
/** 1970 began with a Thursday: its week had begun three days before. */
const MONDAY = -3 * DAY;

const ISO =
  /^(\d{4})[-/](\d\d?)[-/](\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)? ?(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/;
/** Most dates are written so, and need no parts but three. */
const PLAIN = /^\d{4}-\d\d-\d\d$/;
const GERMAN = /^(\d\d?)\.(\d\d?)\.(\d{4})(?:,? (\d\d?):(\d\d)(?::(\d\d))?)?$/;

/** The Gregorian calendar repeats itself after so many years, of so many days. */
const CYCLE = { years: 400, days: 146_097 };

function utc(year: number, month: number, day: number, time: readonly string[] = []): number | undefined {
  // Date.UTC takes years below 100 for those of the twentieth century, and 30 February for a day of March.
  const midnight = (of: number, date: number): number => Date.UTC(year + CYCLE.years, of, date) - CYCLE.days * DAY;
  const found = midnight(month - 1, day);
  const right = month >= 1 && month <= 12 && day >= 1 && found < midnight(month, 1);
  const [hours = 0, minutes = 0, seconds = 0] = time.map(Number);
  return right && hours < 25 && minutes < 60 && seconds < 61
    ? found + ((hours * 60 + minutes) * 60 + seconds) * 1000
    : undefined;
}

function momentIn(text: string): number | undefined {
  if (text.length < 8 || text.length > 40) return undefined;
  if (PLAIN.test(text)) return utc(Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8)));
  const german = GERMAN.exec(text);
  if (german) {
    const [, day, month, year, ...time] = german;
    return utc(
      Number(year),
      Number(month),
      Number(day),
      time.map((part) => part ?? '0'),
    );
  }
  const iso = ISO.exec(text);
  if (!iso) return undefined;
  const [, year, month, day, hours = '0', minutes = '0', seconds = '0', fraction = '0', zone = 'Z'] = iso;
  const moment = utc(Number(year), Number(month), Number(day), [hours, minutes, seconds]);
  const [, sign, off = '0', more = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  const offset = (sign === '-' ? -1 : 1) * (Number(off) * 60 + Number(more)) * 60_000;
  return moment === undefined ? undefined : moment + Number(`0.${fraction}`) * 1000 - offset;
}

let last: { readonly text: string; readonly moment: number | undefined } = { text: '', moment: undefined };

/**
 * The moment that a text names, in milliseconds since 1970: `2024-01-31`, with a time and a zone or without (UTC), `31.1.2024`. The last
 * text's is kept, as whoever asks what a value is asks next what it says, and dates stand in order.
 */
export function parseDate(text: string): number | undefined {
  if (text !== last.text) last = { text, moment: momentIn(text) };
  return last.moment;
}

/** The angle of a moment on a circle that takes so long, and has turned once at `start`. */
const angle = (moment: number, period: number, start = 0): number => (2 * Math.PI * (moment - start)) / period;

const PARTS: Readonly<Record<DatePart, (moment: number) => number>> = {
  time: (moment) => moment / DAY,
  'year-sin': (moment) => Math.sin(angle(moment, YEAR)),
  'year-cos': (moment) => Math.cos(angle(moment, YEAR)),
  'week-sin': (moment) => Math.sin(angle(moment, 7 * DAY, MONDAY)),
  'week-cos': (moment) => Math.cos(angle(moment, 7 * DAY, MONDAY)),
  'day-sin': (moment) => Math.sin(angle(moment, DAY)),
  'day-cos': (moment) => Math.cos(angle(moment, DAY)),
};

/** A part of a moment, in milliseconds since 1970. */
export const datePart = (moment: number, part: DatePart): number => PARTS[part](moment);

/** How a part is made of a moment: (moment − start) / period turns, and of those of a circle the sine, `phase` further on. */
export function dateTurns(part: DatePart): {
  readonly start: number;
  readonly period: number;
  readonly phase?: number;
} {
  if (part === 'time') return { start: 0, period: DAY };
  const [of, coordinate] = part.split('-');
  const phase = coordinate === 'cos' ? Math.PI / 2 : 0;
  if (of === 'week') return { start: MONDAY, period: 7 * DAY, phase };
  return { start: 0, period: of === 'year' ? YEAR : DAY, phase };
}
