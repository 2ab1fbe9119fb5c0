/** A training as a page that people look at. */
import { checkKeys, checkObject } from '../core/checks.js';
import { expected } from '../core/errors.js';
import { info } from '../core/info.js';
import { isObject } from '../core/objects.js';
import { isTelling } from '../judging/metrics.js';
import type { GraphModel } from '../model/graph-model.js';
import type { Importance } from '../model/importance.js';
import type { Model } from '../model/model.js';
import { networkText } from '../network/network.js';
import type { Schema } from '../network/schema.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS } from '../solvers/index.js';
import { type AnySolver, schemaOf } from '../solvers/shared/descriptor.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import { FRONT } from '../training/options.js';
import type { Report } from '../training/report.js';
import type { FitResult } from '../training/result.js';
import { promisesOf } from './certificate.js';
import { type Chart, chartsOf, figures, sizeOf, timesOf, updatesOf } from './charts.js';
import { kernelOf, spentOn } from './comparison.js';
import { HEAD, pageOf } from './drawing.js';
import { bar, facts, number, section, setting, table, text, written } from './html.js';
import { columnsTable, judgedCharts, scores } from './judged.js';
import { spectra, weightsTable } from './weights.js';

/** What a page says beside what the training itself tells. */
export interface PageOptions {
  /** The heading. Default: the network. */
  readonly title?: string;
  /** The options of the training, told as they are. */
  readonly settings?: object;
  /** What each column is worth, in place of what the training's own report says of it: `await importance(model, rows)`. */
  readonly importance?: Importance;
}

/** What `fit`, `train` and `resume` give. */
export type Trained = FitResult<ProgressRecord, Model | GraphModel> & { readonly report?: Report };

/** The files that are pages of ours. */
export const PAGE = { begins: HEAD.slice(8), what: 'page of dladmm' };

const STATUS: Readonly<Record<Trained['status']['kind'], string>> = {
  completed: 'completed',
  'early-stopped': 'stopped early, with the best weights kept',
  aborted: 'stopped on request',
  diverged: 'diverged; the model is the last finite one',
};

/** The options that are other than what stands where nobody gives them. */
function differing(settings: object, { model, report }: Trained): readonly (readonly [name: string, value: unknown])[] {
  const chosen = report?.solver?.name;
  const { solver = chosen ?? 'dladmm' } = settings as { readonly solver?: unknown };
  const here: readonly AnySolver[] = model.kind === 'gcn' ? GRAPH_SOLVERS : SAMPLE_SOLVERS;
  const known = isObject(solver) ? solver : here.find(({ name }) => name === (solver === 'auto' ? chosen : solver));
  const schema: Schema = { ...FRONT, ...(known && schemaOf(known as AnySolver)) };
  return Object.entries(settings).filter(
    ([name, value]) =>
      value !== undefined && typeof value !== 'function' && written(value) !== written(schema[name]?.default),
  );
}

function summary(result: Trained, settings: object): string {
  const { model, status, iterations, seconds, report } = result;
  const { version, kernels, simd, processors } = info();
  const { task, solver, heldOut, samples } = report ?? {};
  const chosen = differing(settings, result);
  const { dtype, network } = model;
  return [
    facts([
      ...(task ? [[`task`, `${task.kind}: ${task.because}`] as const] : []),
      ...(task?.target === undefined ? [] : [['target', [task.target].flat().join(', ')] as const]),
      ['network', `${networkText(network)}, ${dtype}`],
      ...(report?.lipschitz === undefined ? [] : [['Lipschitz bound', number(report.lipschitz)] as const]),
      ...(solver ? [['solver', `${solver.name}: ${solver.because}`] as const] : []),
      ...(samples === undefined ? [] : [['samples', samples] as const]),
      ...(heldOut ? [['held out', `${heldOut.samples} of ${heldOut.of}, ${heldOut.how}`] as const] : []),
      ['status', `${STATUS[status.kind]} after ${iterations} iterations in ${number(seconds)} s`],
      ['dladmm', `${version}, kernels ${kernels || 'unknown'}, own loops ${simd}, ${processors.threads} processors`],
    ]),
    ...(report?.warnings ?? result.warnings ?? []).map((warning) => `<p class="note">${text(warning)}</p>`),
    chosen.length === 0
      ? ''
      : `<h3>Options that differ from the defaults</h3>${facts(chosen.map(([name, value]) => [name, setting(value)]))}`,
  ].join('');
}

const times = (records: readonly ProgressRecord[]): string => {
  const all = timesOf(records);
  const total = all.reduce((sum, [, seconds]) => sum + seconds, 0);
  if (all.length === 0 || total === 0) return '';
  const rows = all.map(([kind, seconds]) => [
    text(kind),
    number(seconds),
    `${((100 * seconds) / total).toFixed(1)} %`,
    bar(seconds / total),
  ]);
  return table('Seconds of all iterations by what they were spent on', ['kind', 'seconds', 'share', ''], rows);
};

/** So many updates of an iteration are shown. */
const SHOWN = 300;

/** The last iteration update by update: when each began, what it took and, where that was measured, what it changed. */
function timeline(records: readonly ProgressRecord[]): string {
  const last = records.at(-1);
  const updates = last ? updatesOf(last) : [];
  const total = updates.reduce((sum, { seconds }) => sum + seconds, 0);
  if (last === undefined || total === 0) return '';
  const measured = updates.some((update) => 'lagrangianChange' in update);
  let at = 0;
  const rows = updates.slice(0, SHOWN).map((update) => {
    const { block, layer, seconds } = update;
    const { lagrangianChange, residualChange } = { lagrangianChange: undefined, residualChange: undefined, ...update };
    const from = at;
    at += seconds;
    return [
      ...[`${block} ${layer}`, number(1e3 * from), number(1e3 * seconds), number(sizeOf(update) ?? Number.NaN)],
      ...(measured ? [number(lagrangianChange ?? Number.NaN), number(residualChange ?? Number.NaN)] : []),
    ]
      .map((cell) => (cell === 'NaN' ? '' : cell))
      .concat(bar(seconds / total, from / total));
  });
  const head = [
    'update',
    'begins at, ms',
    'takes, ms',
    'size',
    ...(measured ? ['change of L', 'of the residuals'] : []),
  ];
  return table(`Iteration ${last.iteration} as a timeline`, [...head, ''], rows);
}

const certificate = (records: readonly ProgressRecord[], { network }: Model | GraphModel): string => {
  const promises = promisesOf(records, network.loss);
  const rows = promises.map(({ what, when, found }) => [what, when, found].map(text));
  return promises.length === 0
    ? ''
    : table('What theory says of these records', ['promise', 'when', 'found'], rows, 'words');
};

/**
 * A training as one HTML file that needs nothing else: what was trained and how, its curves, what theory promised and whether it held, where
 * the time went, what the model is worth. It opens from a disk, asks nothing of any network, and prints.
 *
 *     const result = await fit('customers.csv', { target: 'churned' });
 *     await writeFile('run.html', report(result, { title: 'Churn' }));
 *
 * @param result what `fit` or `resume` resolved to, or the `result` of a training
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function report(result: Trained, options: PageOptions = {}): string {
  checkObject(result, 'what fit has given', 'result');
  checkObject(options, '{ title, settings, importance }', 'options');
  checkKeys(options, ['title', 'settings', 'importance'], 'options');
  const { title, settings = {}, importance } = options;
  if (importance !== undefined && !(isObject(importance) && Array.isArray(importance.columns)))
    throw expected('what importance has found', 'options.importance', importance);
  checkObject(settings, 'the options of the training', 'options.settings');
  const { model, history, status, report: told } = result;
  const worth = importance ?? told?.importance;
  if (![model, model?.network, status].every(isObject) || !Array.isArray(history))
    throw expected('what fit has given, with its model,', 'result', result);
  const name = text(title ?? networkText(model.network));
  const judged = [
    ['What is held out', told?.scores],
    ['The test set', told?.test],
    ['The training samples', told?.train],
  ] as const;
  const single = Object.entries(told?.test ?? told?.scores ?? told?.train ?? {}).filter(
    ([name, value]) => typeof value === 'number' && isTelling(name, value),
  );
  const kernel = kernelOf({
    settings: Object.fromEntries(differing(settings, result)),
    outcome: {
      status: status.kind,
      iterations: result.iterations,
      seconds: result.seconds,
      ...spentOn(history),
      ...Object.fromEntries(single),
    },
  });
  let drawn = 0;
  const charts = (all: readonly Chart[]): string => {
    const html = figures(all, drawn);
    drawn += all.length;
    return html;
  };
  const targets = [model.target ?? []].flat();
  const described = 'describe' in model ? `<pre>${describe(model)}</pre>` : '';
  return pageOf(
    name,
    [
      `<h1>${name}</h1>`,
      section('Summary', summary(result, settings)),
      ...judged.map(([what, evaluation]) =>
        evaluation ? section(what, scores(what, evaluation), charts(judgedCharts(what, evaluation, targets))) : '',
      ),
      section('Columns', worth ? columnsTable(worth) : ''),
      section('Curves', charts(chartsOf(history))),
      section('Certificate', certificate(history, model)),
      section('Time', times(history), timeline(history)),
      section('Weights', weightsTable(model), charts(spectra(model))),
      section('Model', described),
      kernel,
    ].join('\n'),
  );
}

/** Line by line, so that none is cut. */
const describe = (model: Model): string => model.describe().split('\n').map(text).join('\n');
