/** A training as a page that people look at. */
import { checkKeys, checkObject } from '../core/checks.js';
import { info } from '../core/info.js';
import { isObject } from '../core/objects.js';
import type { ClassScore } from '../judging/classes.js';
import type { Evaluation } from '../judging/evaluation.js';
import type { GraphModel } from '../model/graph-model.js';
import type { Model } from '../model/model.js';
import { networkText } from '../network/network.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import type { Report } from '../training/report.js';
import type { FitResult } from '../training/result.js';
import { promisesOf } from './certificate.js';
import { chartsOf, figure, timesOf } from './charts.js';
import { HEAD, pageOf } from './drawing.js';
import { facts, number, section, table, text } from './html.js';

/** What a page says beside what the training itself tells. */
export interface PageOptions {
  /** The heading. Default: the network. */
  readonly title?: string;
  /** The options of the training, told as they are. */
  readonly settings?: object;
}

/** What `fit`, `train` and `resume` give. */
export type Trained = FitResult<ProgressRecord, Model | GraphModel> & { readonly report?: Report };

/** The files that are pages of ours. */
export const PAGE = { begins: HEAD.slice(8), what: 'page of dladmm' };

/** More classes than this make a table that nobody reads. */
const MOST_CLASSES = 50;

const STATUS: Readonly<Record<Trained['status']['kind'], string>> = {
  completed: 'completed',
  'early-stopped': 'stopped early, with the best weights kept',
  aborted: 'stopped on request',
  diverged: 'diverged; the model is the last finite one',
};

const setting = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));

function summary(result: Trained, settings: object): string {
  const { model, status, iterations, seconds, report } = result;
  const { version, kernels, simd, processors } = info();
  const { task, solver, heldOut, samples } = report ?? {};
  const chosen = Object.entries(settings).filter(([, value]) => value !== undefined && typeof value !== 'function');
  const { dtype, network } = model;
  return [
    facts([
      ...(task ? [[`task`, `${task.kind}: ${task.because}`] as const] : []),
      ...(task?.target === undefined ? [] : [['target', [task.target].flat().join(', ')] as const]),
      ['network', `${networkText(network)}, ${dtype}`],
      ...(solver ? [['solver', `${solver.name}: ${solver.because}`] as const] : []),
      ...(samples === undefined ? [] : [['samples', samples] as const]),
      ...(heldOut ? [['held out', `${heldOut.samples} of ${heldOut.of}, ${heldOut.how}`] as const] : []),
      ['status', `${STATUS[status.kind]} after ${iterations} iterations in ${number(seconds)} s`],
      ['dladmm', `${version}, kernels ${kernels || 'unknown'}, own loops ${simd}, ${processors.threads} processors`],
    ]),
    ...(report?.warnings ?? []).map((warning) => `<p class="note">${text(warning)}</p>`),
    chosen.length === 0
      ? ''
      : `<h3>Options that were given</h3>${facts(chosen.map(([name, value]) => [name, setting(value)]))}`,
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
    `<span class="bar" style="width:${((12 * seconds) / total).toFixed(3)}rem"></span>`,
  ]);
  return table('Seconds of all iterations by what they were spent on', ['kind', 'seconds', 'share', ''], rows);
};

const certificate = (records: readonly ProgressRecord[], { network }: Model | GraphModel): string => {
  const promises = promisesOf(records, network.loss);
  const rows = promises.map(({ what, when, found }) => [what, when, found].map(text));
  return promises.length === 0
    ? ''
    : table('What theory says of these records', ['promise', 'when', 'found'], rows, 'words');
};

/** A cell as dark as it is a share of its row. */
const heat = (value: number, share: number): string =>
  `<span style="display:block;background:rgba(var(--heat),${(0.55 * share).toFixed(2)})">${number(value)}</span>`;

function confusion(what: string, matrix: readonly (readonly number[])[], names: readonly string[]): string {
  if (names.length > MOST_CLASSES) return `<p>The confusion matrix of ${names.length} classes is left out.</p>`;
  const rows = matrix.map((row, c) => {
    const all = row.reduce((sum, value) => sum + value, 0);
    return [text(names[c]), ...row.map((value) => heat(value, all > 0 ? value / all : 0))];
  });
  return table(`${what}: true classes down, predicted ones across`, ['', ...names.map(text)], rows);
}

function scores(what: string, evaluation: Evaluation): string {
  const single = Object.entries(evaluation).filter(([, value]) => typeof value === 'number') as [string, number][];
  const parts = 'classes' in evaluation ? evaluation.classes : 'labels' in evaluation ? evaluation.labels : [];
  const measures = Object.keys(parts[0] ?? {}).filter((key) => key !== 'name') as (keyof ClassScore)[];
  const rows = parts
    .slice(0, MOST_CLASSES)
    .map((part) => [text(part.name), ...measures.map((key) => number(part[key]))]);
  const more = parts.length > MOST_CLASSES ? `, the first ${MOST_CLASSES} of ${parts.length}` : '';
  return [
    facts(single.map(([name, value]) => [name, number(value)])),
    rows.length === 0 ? '' : table(`${what}, one by one${more}`, ['', ...measures.map(text)], rows),
    'confusion' in evaluation
      ? confusion(
          what,
          evaluation.confusion,
          evaluation.classes.map(({ name }) => name),
        )
      : '',
  ].join('');
}

/** Layer by layer: how large its weights are, and how many are nothing. */
function weights({ weights: all, network }: Model | GraphModel): string {
  const rows = all.map((W, i) => {
    let [zeros, squares, least, most] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const value of W) {
      if (value === 0) zeros += 1;
      squares += value * value;
      least = Math.min(least, value);
      most = Math.max(most, value);
    }
    const shape = `${network.layers[i + 1]} × ${network.layers[i]}`;
    const share = `${((100 * zeros) / W.length).toFixed(1)} %`;
    return [`W ${i + 1}`, shape, number(Math.sqrt(squares / W.length)), number(least), number(most), share];
  });
  return table('Weights', ['layer', 'outputs × inputs', 'root mean square', 'least', 'greatest', 'zeros'], rows);
}

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
  checkObject(options, '{ title, settings }', 'options');
  checkKeys(options, ['title', 'settings'], 'options');
  const { title, settings = {} } = options;
  checkObject(settings, 'the options of the training', 'options.settings');
  const { model, history, report: told } = result;
  if (!isObject(model) || !Array.isArray(history)) checkObject(undefined, 'what fit has given', 'result');
  const name = text(title ?? networkText(model.network));
  const charts = chartsOf(history).map(figure);
  const judged = [
    ['What is held out', told?.scores],
    ['The test set', told?.test],
    ['The training samples', told?.train],
  ] as const;
  const described = 'describe' in model ? `<pre>${describe(model)}</pre>` : '';
  return pageOf(
    name,
    [
      `<h1>${name}</h1>`,
      section('Summary', summary(result, settings)),
      ...judged.map(([what, evaluation]) => (evaluation ? section(what, scores(what, evaluation)) : '')),
      section('Curves', charts.length === 0 ? '' : `<div class="charts">${charts.join('')}</div>`),
      section('Certificate', certificate(history, model)),
      section('Time', times(history)),
      section('Weights', weights(model)),
      section('Model', described),
    ].join('\n'),
  );
}

/** Line by line, so that none is cut. */
const describe = (model: Model): string => model.describe().split('\n').map(text).join('\n');
