import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Dialect, dialectOf } from '../../src/formats/csv/dialect.js';

const folder = fileURLToPath(new URL('../fixtures/dialects/', import.meta.url));
const contentOf = (name: string): string => readFileSync(`${folder}${name}`, 'utf8');
const jsonOf = <T>(name: string): T => JSON.parse(contentOf(name)) as T;

const cases = Object.entries(jsonOf<Record<string, Omit<Dialect, 'decimal'> & Partial<Dialect>>>('expected.json'));

/** What scripts/compare-sniffers.mjs has recorded. */
interface Sniffer {
  readonly answers: Readonly<Record<string, { readonly delimiter: string | null; readonly header: boolean | null }>>;
}

describe('how a table is written is found by itself', () => {
  it.each(cases)('%s', async (name, wanted) => {
    const { delimiter, decimal, header } = await dialectOf(contentOf(name), {}, /\.tsv$/.test(name) ? '\t' : undefined);
    expect({ delimiter, decimal, header }).toEqual({ decimal: '.', ...wanted });
  });

  it.each(Object.entries(jsonOf<Record<string, Sniffer>>('others.json')))('more often than by %s', (_, { answers }) => {
    expect(Object.keys(answers)).toEqual(cases.map(([name]) => name));
    const right = cases.filter(([name, { delimiter, header }]) => {
      const said = answers[name];
      // One column has no delimiter.
      const same = said?.delimiter === delimiter || /^one-column/.test(name);
      return same && said?.header === header;
    });
    expect(right.length).toBeLessThan(0.85 * cases.length);
  });

  it('and years are names where they alone stand in quotation marks', async () => {
    const header = async (text: string) => (await dialectOf(text, {})).header;
    expect(await header('"2019","2020","kind"\n2017,2018,"oak"\n2021,2019,"ash"\n')).toBe(true);
    expect(await header('"2019","2020","kind"\n"2017","2018","oak"\n"2021","2019","oak"\n')).toBe(false);
    expect(await header('"2019" "2020"\n2017 2018\n2021 2019\n')).toBe(true);
    expect(await header('2019,2020,"oak"\n2017,2018,"oak"\n2021,2019,"ash"\n')).toBe(false);
  });

  it('but not against what is told', async () => {
    const text = 'a;b\n1,5;2\n';
    expect(await dialectOf(text, { delimiter: ',' })).toMatchObject({ delimiter: ',', decimal: '.' });
    expect(await dialectOf(text, { header: false, decimal: '.' })).toMatchObject({
      delimiter: ';',
      header: false,
      decimal: '.',
    });
    expect(await dialectOf('1,5\n2,5\n', { decimal: ',' })).toMatchObject({ delimiter: ';', decimal: ',' });
    expect(await dialectOf('a,b\n"1,5",x\n', { decimal: ',' })).toMatchObject({ delimiter: ',', decimal: ',' });
    expect(await dialectOf('a;b\n"1,5";x\n', { decimal: ',' })).toMatchObject({ delimiter: ';', decimal: ',' });
  });
});
