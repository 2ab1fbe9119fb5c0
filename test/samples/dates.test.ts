import { describe, expect, it } from 'vitest';
import { parseDate } from '../../src/samples/dates.js';

const DAY = 86_400_000;

describe('a text names a moment', () => {
  it('of any year, as Date says', () => {
    for (const day of [
      '0000-02-29',
      '0004-12-31',
      '0099-01-01',
      '1899-12-31',
      '1970-01-01',
      '2000-02-29',
      '9999-12-31',
    ]) {
      expect(parseDate(day), day).toBe(Date.parse(day));
      expect(parseDate(day.replaceAll('-', '/')), day).toBe(Date.parse(day));
      expect(parseDate(day.split('-').toReversed().join('.')), day).toBe(Date.parse(day));
    }
  });

  it('only where the calendar has it', () => {
    for (const day of [
      '1900-02-29',
      '2023-02-29',
      '2024-02-30',
      '2024-04-31',
      '2024-00-10',
      '2024-13-01',
      '2024-01-00',
    ]) {
      expect(parseDate(day), day).toBeUndefined();
      expect(parseDate(`${day} 00:00`), day).toBeUndefined();
      expect(parseDate(day.split('-').toReversed().join('.')), day).toBeUndefined();
    }
    expect(parseDate('2024-01-31 25:00')).toBeUndefined();
    expect(parseDate('2024-01-31 23:60')).toBeUndefined();
  });

  it('with a time and a zone', () => {
    expect(parseDate('2024-01-31 24:00')).toBe(Date.parse('2024-02-01'));
    expect(parseDate('2024-1-31T06:30:15.250+0130')).toBe(Date.parse('2024-01-31T05:00:15.250Z'));
    expect(parseDate('1.2.2024, 06:00')).toBe(Date.parse('2024-02-01') + DAY / 4);
  });

  it('whatever was asked before', () => {
    expect([parseDate('2024-01-31'), parseDate('no date'), parseDate('no date'), parseDate('2024-01-31')]).toEqual([
      Date.parse('2024-01-31'),
      undefined,
      undefined,
      Date.parse('2024-01-31'),
    ]);
  });
});
