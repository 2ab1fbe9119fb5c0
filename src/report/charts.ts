/** What is drawn of a training: curves over its iterations. */
import type { AnyRecord } from '../solvers/records.js';
import { isJudgedInUnits, type ProgressRecord } from '../solvers/shared/record.js';
import { embedded, number, table, text } from './html.js';

/** Curves over the same places. */
export interface Chart {
  readonly title: string;
  readonly across: string;
  readonly up: string;
  /** Whether the axis of values is logarithmic. */
  readonly log: boolean;
  /** Whether there are points in place of lines. */
  readonly points?: boolean;
  readonly x: readonly number[];
  readonly curves: readonly Curve[];
}

interface Curve {
  readonly name: string;
  /** Null where there is none. */
  readonly values: readonly (number | null)[];
}

/** Digits of what is drawn; a screen shows fewer. */
const DIGITS = 5;
/** Stretches of a long training of which each curve's least and greatest value are kept. */
const STRETCHES = 250;
/** Rows of the table beside a chart. */
const ROWS = 40;

/** A list of numbers, one a layer. */
const isList = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'number');

/** Where something is drawn. Fields that no splitting has told of yet are drawn by their own names. */
interface Place {
  readonly title: string;
  readonly up: string;
  readonly log?: boolean;
  /** Default: iterations. */
  readonly across?: string;
  readonly points?: boolean;
}

const PLACES: Readonly<Record<string, Place>> = {
  lagrangian: { title: 'Augmented Lagrangian', up: 'L' },
  lossSum: { title: 'Loss of the split outputs', up: 'sum over the samples' },
  regularisation: { title: 'Regularisation', up: 'Σ Ω(W)' },
  zeros: { title: 'Zeros among the weights', up: 'share of a layer' },
  residuals: { title: 'Primal residuals', up: 'squared norm', log: true },
  activationResiduals: { title: 'Residuals of the activations', up: '‖a − f(z)‖²', log: true },
  dualNorm: { title: 'Multipliers', up: 'squared norm', log: true },
  dualIdentity: { title: 'Dual residual', up: 'largest |∇R(z) + u|', log: true },
  kkt: { title: 'What the KKT conditions miss by', up: 'squared norm', log: true },
  stationarityW: { title: 'Gradients of the Lagrangian in W', up: 'squared norm', log: true },
  stationarityV: { title: 'Gradients of the Lagrangian in V', up: 'squared norm', log: true },
  objective: { title: 'Objective', up: 'F' },
  learningRate: { title: 'Learning rate', up: 'γ of the last step' },
  seconds: { title: 'Seconds of an iteration', up: 's' },
};

/** Drawn with others, or of no interest over iterations. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  ...['iteration', 'loss', 'elapsed', 'train', 'validation', 'test', 'checkpoint', 'updates', 'penalties', 'steps'],
  ...['work', 'kept', 'tried', 'dualProduct'],
]);

const PARTS = ['train', 'validation', 'test'] as const;

export const curve = (name: string, values: readonly (number | undefined)[]): Curve => ({
  name,
  values: values.map((value) =>
    value !== undefined && Number.isFinite(value) ? Number(value.toPrecision(DIGITS)) : null,
  ),
});

/** The values that each key of some objects has. */
function byKey(objects: readonly (Readonly<Record<string, unknown>> | undefined)[]): readonly Curve[] {
  const keys = new Set(objects.flatMap((each) => (each ? Object.keys(each) : [])));
  return [...keys].flatMap((key) => {
    const values = objects.map((each) => (typeof each?.[key] === 'number' ? (each[key] as number) : undefined));
    return values.some((value) => value !== undefined) ? [curve(key, values)] : [];
  });
}

/** What a field of the records was: one curve, or one a layer. */
function curvesOf(records: readonly Readonly<Record<string, unknown>>[], field: string): readonly Curve[] {
  const values = records.map((record) => record[field]);
  if (values.every((value) => typeof value === 'number')) return [curve(field, values)];
  if (!values.every(isList)) return [];
  return (values[0] ?? []).map((_, l) =>
    curve(
      `layer ${l + 1}`,
      values.map((list) => list[l]),
    ),
  );
}

type AnyUpdate = Extract<AnyRecord, { updates: unknown }>['updates'][number];

/** What the updates of an iteration did; of solvers without any, none. */
export const updatesOf = (record: ProgressRecord): readonly AnyUpdate[] =>
  (record as { readonly updates?: readonly AnyUpdate[] }).updates ?? [];

/** θ or τ, or the curvature that stands for it. */
export const sizeOf = (update: AnyUpdate): number | undefined =>
  'size' in update ? update.size : 'curvature' in update ? update.curvature : undefined;

/** The sizes of quadratic steps: θ of W, τ of a or Z. */
function sizesOf(records: readonly ProgressRecord[]): readonly Curve[] {
  const sizes = records.map((record) =>
    Object.fromEntries(
      updatesOf(record).flatMap((update) => {
        const { block, layer } = update;
        const size = sizeOf(update);
        return size === undefined ? [] : [[`${block === 'W' ? 'θ' : 'τ'} of ${block} ${layer}`, size]];
      }),
    ),
  );
  return byKey(sizes);
}

/** Which places of long curves are kept: the first and the last, and of each stretch where a curve is least and greatest. */
function kept(count: number, curves: readonly Curve[]): readonly number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (count <= 4 * STRETCHES) return all;
  const places = new Set([0, count - 1]);
  for (let k = 0; k < STRETCHES; k += 1) {
    const [from, to] = [k, k + 1].map((part) => Math.floor((part * count) / STRETCHES)) as [number, number];
    for (const { values } of curves) {
      let [least, most] = [-1, -1];
      for (let i = from; i < to; i += 1) {
        const value = values[i];
        if (value === null || value === undefined) continue;
        if (least < 0 || value < (values[least] as number)) least = i;
        if (most < 0 || value > (values[most] as number)) most = i;
      }
      if (least >= 0) places.add(least).add(most);
    }
  }
  return [...places].sort((a, b) => a - b);
}

/** A chart of the curves that have a value, or none. */
export function chart(x: readonly number[], place: Place, all: readonly Curve[]): readonly Chart[] {
  const curves = all.filter(({ values }) => values.some((value) => value !== null));
  if (curves.length === 0) return [];
  const { title, up, across = 'iteration', points } = place;
  const positive = curves.every(({ values }) => values.every((value) => value === null || value > 0));
  const at = kept(x.length, curves);
  return [
    {
      ...{ title, up, across },
      ...(points && { points }),
      log: place.log === true && positive,
      x: at.map((i) => x[i] as number),
      curves: curves.map(({ name, values }) => ({ name, values: at.map((i) => values[i] ?? null) })),
    },
  ];
}

/** The charts of a training, from its records. */
export function chartsOf(records: readonly ProgressRecord[]): readonly Chart[] {
  if (records.length === 0) return [];
  const x = records.map(({ iteration }) => iteration);
  const loose = records as unknown as readonly Readonly<Record<string, unknown>>[];
  const judged = (metric: string): readonly Curve[] =>
    PARTS.map((part) =>
      curve(
        part,
        records.map((record) => record[part]?.[metric as 'loss']),
      ),
    );
  const learnt = curve(
    'as it was learnt',
    records.map(({ loss }) => loss),
  );
  const up = 'mean over the samples';
  const inUnits = records.some(isJudgedInUnits);
  const losses: readonly (readonly [Place, readonly Curve[]])[] = inUnits
    ? [
        [{ title: 'Loss, as it was learnt', up }, [learnt]],
        [{ title: 'Loss, as it is judged', up }, judged('loss')],
      ]
    : [[{ title: 'Loss', up }, [learnt, ...judged('loss')]]];
  const metrics = new Set(records.flatMap((record) => PARTS.flatMap((part) => Object.keys(record[part] ?? {}))));
  metrics.delete('loss');
  const fields = Object.keys(loose[0] ?? {}).filter((field) => !LEFT_OUT.has(field));
  return [
    ...losses.flatMap(([place, curves]) => chart(x, place, curves)),
    ...[...metrics].flatMap((metric) => chart(x, { title: `Score: ${metric}`, up: metric }, judged(metric))),
    ...fields.flatMap((field) => chart(x, PLACES[field] ?? { title: field, up: field }, curvesOf(loose, field))),
    ...chart(x, { title: 'Step sizes', up: 'θ, τ', log: true }, sizesOf(records)),
    ...chart(
      x,
      { title: 'Penalties', up: 'value', log: true },
      byKey(loose.map(({ penalties }) => penalties as Readonly<Record<string, unknown>> | undefined)),
    ),
  ];
}

type Times = readonly (readonly [kind: string, seconds: number])[];

/** Seconds of the same kind together. */
function added(all: Times): Times {
  const times = new Map<string, number>();
  for (const [kind, seconds] of all) times.set(kind, (times.get(kind) ?? 0) + seconds);
  return [...times];
}

/** Seconds of each kind of update of an iteration; of a record that was kept, as it was written. */
export function secondsOf(record: ProgressRecord): Times {
  const { spent } = record as { readonly spent?: Readonly<Record<string, number>> };
  return spent
    ? Object.entries(spent)
    : added(updatesOf(record).map(({ block, layer, seconds }) => [`${block} ${layer}`, seconds]));
}

/** Seconds of each kind of update, all iterations together, and of what is none. */
export const timesOf = (records: readonly ProgressRecord[]): Times =>
  added(
    records.flatMap((record) => {
      const told = secondsOf(record);
      const rest = told.reduce((left, [, seconds]) => left - seconds, record.seconds);
      const { checkpoint } = record;
      return [
        ...told,
        [told.length > 0 ? 'the rest of the iterations' : 'iterations', Math.max(0, rest)],
        ...(checkpoint ? [['checkpoints', checkpoint.seconds] as const] : []),
      ];
    }),
  );

/** A curve in words. */
function told({ name, values }: Curve, { x, points }: Chart): string {
  const there = values.flatMap((value, i) => (value === null ? [] : [{ value, at: x[i] as number }]));
  const [first, last] = [there[0], there.at(-1)];
  if (!first || !last) return name;
  const least = there.reduce((a, b) => (b.value < a.value ? b : a));
  const most = there.reduce((a, b) => (b.value > a.value ? b : a));
  const ends = points
    ? `${there.length} points of ${name} from ${number(first.at)} to ${number(last.at)}`
    : `${name} goes from ${number(first.value)} to ${number(last.value)}`;
  return `${ends}, least ${number(least.value)} at ${number(least.at)}, greatest ${number(most.value)} at ${number(most.at)}`;
}

/** A chart as a figure: what is drawn, the same in words, and the numbers in a table. */
export function figure(chart: Chart, id: number): string {
  const { title, across, up, x, curves } = chart;
  const words = curves.map((each) => told(each, chart)).join('; ');
  const step = Math.max(1, Math.ceil(x.length / ROWS));
  const rows = x.flatMap((at, i) =>
    i % step === 0 || i === x.length - 1
      ? [[number(at), ...curves.map(({ values }) => (values[i] === null ? '' : number(values[i] as number)))]]
      : [],
  );
  const head = [across, ...curves.map(({ name }) => text(name))];
  return [
    `<figure><h3 id="t${id}">${text(title)}</h3>`,
    `<div class="plot" role="img" aria-label="${text(title)}, ${text(up)} over ${text(across)}" aria-describedby="w${id}"></div>`,
    `<script type="application/json">${embedded(chart)}</script>`,
    `<figcaption id="w${id}">${words.split('; ').map(text).join('; ')}.</figcaption>`,
    `<details><summary>Numbers: ${text(title)}</summary>${table(title, head, rows)}</details></figure>`,
  ].join('');
}

/** Charts side by side; `first` is the number of the first of them in its page. */
export const figures = (charts: readonly Chart[], first = 0): string =>
  charts.length === 0 ? '' : `<div class="charts">${charts.map((chart, i) => figure(chart, first + i)).join('')}</div>`;
