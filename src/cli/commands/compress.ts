import { stat } from 'node:fs/promises';
import path from 'node:path';
import { compress } from '../../compressing/compress.js';
import { COMPRESS, type CompressionStep, type CompressOptions, checkOne, PACE } from '../../compressing/options.js';
import { refused } from '../../core/errors.js';
import { writeFileAtomic } from '../../formats/atomic-file.js';
import { isSampleFile } from '../../formats/sample-file.js';
import { Model } from '../../model/model.js';
import { MODEL } from '../../model/model-file.js';
import { pick, readOptions } from '../../network/schema.js';
import { PICTURE, pictureOfSizes } from '../../report/sizes.js';
import type { Rows } from '../../training/options.js';
import type { TrainingData } from '../../training/result.js';
import { percent, telling } from '../progress.js';
import { checkSparse, checkStored, checkTarget, type DataFlags, filesOf, labelledPart, sourceOf } from '../samples.js';
import { isLibsvm, sparseFor } from '../sparse.js';
import type { Terminal } from '../terminal.js';
import { demandsOf } from './model.js';

export interface CompressFlags extends DataFlags, CompressOptions {
  readonly model: string;
  /** The model file that is written. */
  readonly to: string;
  /** A picture of score against size that is written. */
  readonly picture?: string;
  readonly solver?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** The rows of a file or a named set, as a model takes them in; a part for tests judges alone. */
async function dataFor(model: Model, flags: CompressFlags, signal: AbortSignal): Promise<Rows | TrainingData> {
  const { data, target, ignore } = flags;
  if (target !== undefined || ignore !== undefined) {
    throw refused('Expected no --target and no --ignore: the model knows its columns');
  }
  if (isLibsvm(data)) {
    checkSparse(flags, data);
    return sparseFor(model, data, signal);
  }
  if (await isSampleFile(data)) {
    checkStored(flags, data);
    return data;
  }
  const source = await sourceOf(flags, signal);
  if (source.kind === 'table') return source.frame;
  const { file } = source;
  const demands = demandsOf(model, flags.model);
  const test = file.task !== 'unlabelled' && file.test && labelledPart(file, 'test', demands);
  return { ...labelledPart(file, 'train', demands), ...(test && { test }) };
}

const stepText = ({ kind, round, step, weights, distance, validation }: CompressionStep): string => {
  const what = kind === 'admm' ? `iteration ${step}` : 'what stays';
  const { accuracy, loss } = validation ?? {};
  const scores = [
    ...(kind === 'admm' ? [`distance ${distance.toPrecision(3)}`] : []),
    ...(accuracy === undefined ? [] : [`validation ${percent(accuracy)}`]),
    ...(loss === undefined ? [] : [`loss ${loss.toPrecision(4)}`]),
  ];
  return `round ${round}, ${what}: ${[`${weights} weights`, ...scores].join(', ')}\n`;
};

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for a picture of a path that there is none of */
function checkPicture({ picture, to, sparsity, parameters, validationShare }: CompressFlags): void {
  if (picture === undefined) return;
  if (sparsity === undefined && parameters === undefined)
    throw refused('Expected --sparsity or --parameters with --picture, which draws the rounds of pruning');
  if (validationShare === 0)
    throw refused('Expected no --validation-share 0 with --picture: what is held out gives the scores');
  if (path.resolve(picture) === path.resolve(to)) throw refused('Expected two files for --picture and --to');
}

/** `dladmm compress`. @throws DlAdmmError whatever reading, training and saving can cause */
export async function compressCommand(flags: CompressFlags, terminal: Terminal): Promise<number> {
  const { model: file, to, data, labels, json, quiet, solver, picture } = flags;
  const rules = pick(COMPRESS, flags) as CompressOptions;
  readOptions(COMPRESS, rules);
  checkOne(rules);
  checkPicture(flags);
  await checkTarget(to, filesOf(data, labels, file), MODEL);
  if (picture !== undefined) await checkTarget(picture, [...filesOf(data, labels, file), to], PICTURE);
  using model = await Model.load(file);
  const options = { ...pick(PACE, flags), ...(solver !== undefined && { solver }) };
  const { signal } = terminal;
  const work = async (say: (line: string) => void) =>
    compress(
      model,
      await dataFor(model, flags, signal),
      { ...rules, signal, onStep: (step) => say(stepText(step)) },
      options as never,
    );
  const found = await (json || quiet ? work(() => undefined) : telling(terminal, 'compressing', (_, say) => work(say)));
  const { model: small, ...told } = found;
  await small.save(to, { ...small.note, 'compressed from': file });
  const drawn = picture !== undefined && pictureOfSizes(found.history);
  if (drawn) await writeFileAtomic(picture, Buffer.from(drawn), PICTURE);
  const [{ size: before }, { size: after }] = [await stat(file), await stat(to)];
  await terminal.out(
    json
      ? `${JSON.stringify({ ...told, bytes: { before, after }, model: to, ...(drawn && { picture }) })}\n`
      : `${found}\nwritten to ${to}: ${after} bytes, ${file} has ${before}\n${drawn ? `drawn in ${picture}\n` : ''}`,
  );
  return 0;
}
