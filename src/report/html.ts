/** HTML of what anybody may have typed: texts come in as texts, and stay that. */
import { describe } from '../core/errors.js';

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;' },
  ...{ '"': '&quot;', "'": '&#39;' },
};

/** What is longer is no name any more. */
const LONGEST = 200;

export const shortened = (value: string): string =>
  value.length > LONGEST ? `${value.slice(0, LONGEST - 1)}…` : value;

/** A text as it is to be seen: nothing in it is markup, and control characters are spaces. */
export function text(value: unknown): string {
  return shortened(String(value))
    .replace(/\p{Cc}/gu, ' ')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** JSON that may stand in a script element. */
export const embedded = (value: unknown): string =>
  JSON.stringify(value).replace(/[<\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A number as people read it. */
export const number = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e9 ? String(value) : String(Number(value.toPrecision(4)));

/** As JSON, or in a few words where it has none: a BigInt is in it, or it is in itself. */
export function written(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return describe(value);
  }
}

/** A value as people read it. */
export const setting = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : written(value);

/** A table with a head; the first cell of each row is what the row is called. Cells are HTML. */
export function table(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  of: 'numbers' | 'words' = 'numbers',
): string {
  const row = ([first = '', ...rest]: readonly string[]): string =>
    `<tr><th scope="row">${first}</th>${rest.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  return [
    `<div class="wide" role="region" tabindex="0" aria-label="${text(caption)}"><table class="${of}"><caption>${text(caption)}</caption>`,
    `<thead><tr>${head.map((cell) => (cell === '' ? '<td></td>' : `<th scope="col">${cell}</th>`)).join('')}</tr></thead>`,
    `<tbody>${rows.map(row).join('')}</tbody></table></div>`,
  ].join('');
}

/** A bar that is some share of the longest, behind a share that is left blank. */
export const bar = (share: number, before = 0): string =>
  `<span class="bar" style="margin-left:${(12 * before).toFixed(3)}rem;width:${(12 * share).toFixed(3)}rem"></span>`;

/** Names beside what they are. */
export const facts = (pairs: readonly (readonly [name: string, value: unknown])[]): string =>
  `<dl>${pairs.map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`).join('')}</dl>`;

/** A part of a page under its heading; nothing where there is nothing to show. */
export const section = (title: string, ...content: readonly string[]): string =>
  content.some((part) => part !== '') ? `<section><h2>${text(title)}</h2>${content.join('\n')}</section>` : '';
