/** Runs beside each other: what they came to, the options in which they differ, their curves in the same charts. */
import { DlAdmmError } from '../core/errors.js';
import { isObject } from '../core/objects.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { type Chart, chartsOf, figures, timesOf } from './charts.js';
import { HEAD, pageOf } from './drawing.js';
import { bar, embedded, number, section, setting, shortened, table, text } from './html.js';
import { numbersOf, type StoredRun } from './runs.js';

/** A run as it is put beside others. */
export interface Shown {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly outcome: Readonly<Record<string, unknown>>;
  readonly charts: readonly Chart[];
}

/** Settings as short texts. */
const texts = (settings: object): Shown['settings'] =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [shortened(name), shortened(setting(value))]));

const SPENT = 'seconds of ';

/** The seconds of each kind of update, as a part of what a run came to. */
export const spentOn = (records: readonly ProgressRecord[]): Shown['outcome'] =>
  Object.fromEntries(timesOf(records).map(([kind, its]) => [SPENT + kind, Number(its.toPrecision(4))]));

/** What a record says of a run. */
export function shownOf({ head, records, end }: StoredRun): Shown {
  const last = records.at(-1);
  const { iteration: iterations, elapsed: seconds } = last ?? {};
  // By the names that they have where a run has ended.
  const scores = Object.fromEntries(
    numbersOf(last ?? {}).flatMap(([name, value]) =>
      /^(?:loss$|train\/|validation\/|test\/)/.test(name)
        ? [[name.replace(/\/(.)/, (_, first: string) => first.toUpperCase()), value]]
        : [],
    ),
  );
  return {
    name: head.id,
    settings: texts({ data: head.name, ...head.settings }),
    outcome: { status: 'no end was written', iterations, seconds, ...scores, ...spentOn(records), ...end },
    charts: chartsOf(records),
  };
}

/** What of a run a page of it holds, so that pages can be put beside each other; names of people stay texts. */
export const kernelOf = ({ settings, outcome }: Omit<Shown, 'name' | 'charts'>): string =>
  `<script type="application/json" id="run">${embedded({ settings: texts(settings), outcome })}</script>`;

const isChart = (value: unknown): value is Chart =>
  isObject(value) && Array.isArray(value.x) && Array.isArray(value.curves) && typeof value.title === 'string';

/** What a page of `report` says of its run. @throws DlAdmmError ERR_DLADMM_FORMAT */
export function shownIn(page: string, name: string): Shown {
  try {
    const [, run = ''] = /<script type="application\/json" id="run">(.*?)<\/script>/.exec(page) ?? [];
    const { settings, outcome } = JSON.parse(run) as Shown;
    const drawn = [...page.matchAll(/<script type="application\/json">(.*?)<\/script>/g)];
    const charts = drawn.map(([, json = '']) => JSON.parse(json) as unknown);
    if (page.startsWith(HEAD) && isObject(settings) && isObject(outcome) && charts.every(isChart)) {
      return { name, settings, outcome, charts };
    }
  } catch {
    // Told below.
  }
  throw new DlAdmmError(
    'ERR_DLADMM_FORMAT',
    `Expected ${name} to be a page of dladmm about one training, but it is none`,
  );
}

/** The charts of all runs, those of one title in one. */
function overlaid(runs: readonly Shown[]): readonly Chart[] {
  const all = runs.flatMap(({ name, charts }) => charts.map((chart) => ({ name, chart })));
  const titles = [...new Set(all.flatMap(({ chart }) => (chart.points ? [] : [chart.title])))];
  return titles.map((title) => {
    const of = all.filter(({ chart }) => chart.title === title);
    const x = [...new Set(of.flatMap(({ chart }) => chart.x))].sort((a, b) => a - b);
    const curves = of.flatMap(({ name, chart }) =>
      chart.curves.map((curve) => {
        const at = new Map(chart.x.map((place, i) => [place, curve.values[i] ?? null]));
        return { name: `${name}: ${curve.name}`, values: x.map((place) => at.get(place) ?? null) };
      }),
    );
    return { ...(of[0] as { readonly chart: Chart }).chart, log: of.every(({ chart }) => chart.log), x, curves };
  });
}

const cell = (value: unknown): string =>
  text(value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value));

/** What the runs have under each name; one line a name. */
function beside(
  caption: string,
  runs: readonly Shown[],
  of: (run: Shown) => Readonly<Record<string, unknown>>,
  keep: (values: readonly unknown[], name: string) => boolean,
  shown: (value: unknown) => string = cell,
): string {
  const names = [...new Set(runs.flatMap((run) => Object.keys(of(run))))];
  const rows = names.flatMap((name) => {
    const values = runs.map((run) => of(run)[name]);
    return keep(values, name) ? [[text(name), ...values.map(shown)]] : [];
  });
  return rows.length === 0 ? '' : table(caption, ['', ...runs.map(({ name }) => text(name))], rows, 'words');
}

/** The seconds of each kind of update, with bars that are as long as they took in whichever run. */
function spent(runs: readonly Shown[]): string {
  const all = runs.flatMap(({ outcome }) => Object.entries(outcome).filter(([name]) => name.startsWith(SPENT)));
  const most = Math.max(...all.map(([, seconds]) => Number(seconds)));
  const shown = (its: unknown): string =>
    typeof its === 'number' && most > 0 ? `${number(its)} ${bar(its / most)}` : cell(its);
  return beside(
    'Seconds by what they were spent on',
    runs,
    ({ outcome }) => outcome,
    (_, name) => name.startsWith(SPENT),
    shown,
  );
}

/** One page about several runs. */
export function comparison(runs: readonly Shown[]): string {
  const title = runs.map(({ name }) => name).join(' · ');
  const differ = (values: readonly unknown[]): boolean =>
    new Set(values.map((value) => JSON.stringify(value))).size > 1;
  const options = beside('Options in which they differ', runs, ({ settings }) => settings, differ);
  return pageOf(
    text(title),
    [
      `<h1>${text(title)}</h1>`,
      section(
        'Outcome',
        beside(
          'What they came to',
          runs,
          ({ outcome }) => outcome,
          (_, name) => !name.startsWith(SPENT),
        ),
      ),
      section('Options', options || '<p>They differ in no option.</p>'),
      section('Time', spent(runs)),
      section('Curves', figures(overlaid(runs))),
    ].join('\n'),
  );
}
