import { DlAdmmError } from '../../core/errors.js';
import { availableThreads } from '../../core/info.js';
import type { Dataset } from '../../datasets/dataset.js';
import { loadDataset } from '../../datasets/datasets.js';
import { MODEL } from '../../model/model-file.js';
import { PAGE } from '../../report/page-of-training.js';
import { START } from '../defaults.js';
import { type Far, telling } from '../progress.js';
import { checkTarget, type TrainingSource } from '../samples.js';
import type { Terminal } from '../terminal.js';
import { checkWithout } from '../without.js';
import { comparisonOn, comparisonText, storedComparison, writeComparison } from './compare.js';
import { type Job, runTraining } from './training.js';

export interface StartFlags {
  readonly dataDir?: string;
  readonly download: boolean;
  readonly iterations?: number;
  readonly timeLimit?: number;
  readonly threads?: number;
  readonly save?: string;
  /** Whether the solvers beside are measured anew, and the file to keep that in. */
  readonly compare?: string | true;
}

/** A first look should begin at once: what is not fetched by then is left for another time. */
const DOWNLOAD_MS = 5000;

/** Fashion-MNIST from wherever it can be had soon, or undefined. */
async function fashionMnist({ dataDir, download }: StartFlags, terminal: Terminal): Promise<Dataset | undefined> {
  const options = { signal: terminal.signal, ...(dataDir !== undefined && { dataDir }) };
  const isMissing = (error: unknown): boolean =>
    error instanceof DlAdmmError && error.code === 'ERR_DLADMM_DATASET' && !terminal.signal.aborted;
  const found = await loadDataset('fashion-mnist', { ...options, download: false }).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (found || !download) return found;
  terminal.err('Fashion-MNIST is not on this machine: trying to fetch it (30 MB) ...\n');
  const signal = AbortSignal.any([terminal.signal, AbortSignal.timeout(DOWNLOAD_MS)]);
  const fetching = (onBytes: Far) => loadDataset('fashion-mnist', { ...options, signal, onBytes });
  return telling(terminal, 'fetching fashion-mnist', fetching).catch((error: unknown) => {
    if (signal.aborted ? !terminal.signal.aborted : isMissing(error)) return undefined;
    throw error;
  });
}

const sourceOf = (set: Dataset): TrainingSource => {
  const classes = set.task === 'classification' ? { classes: set.classes } : {};
  return { name: set.name, task: set.task, front: {}, ...classes, data: { ...set.train, ...classes, test: set.test } };
};

/** `dladmm start`: a first look in about a minute. */
export async function startCommand(flags: StartFlags, terminal: Terminal): Promise<number> {
  const { iterations, timeLimit = START.timeLimit, threads, dataDir } = flags;
  // Before anything is fetched.
  if (flags.compare !== undefined) {
    checkWithout(['iterations', 'timeLimit', 'save'], flags, '--compare', 'it measures every solver as it stands');
  }
  if (typeof flags.compare === 'string') await checkTarget(flags.compare, []);
  if (flags.save !== undefined) await checkTarget(flags.save, [], MODEL);
  const fashion = await fashionMnist(flags, terminal);
  const set =
    fashion ?? (await loadDataset('digits', { signal: terminal.signal, ...(dataDir !== undefined && { dataDir }) }));
  if (!fashion) {
    terminal.err(
      'Fashion-MNIST could not be had, so the small set of digits that comes with the package takes its place.\n' +
        'dladmm datasets tells where it was looked for and how to have it.\n',
    );
  }
  if (flags.compare !== undefined) {
    const comparison = await comparisonOn(set, threads ?? availableThreads(), terminal);
    if (flags.compare !== true) await writeComparison(flags.compare, comparison);
    await terminal.out(comparisonText(comparison, 'measured now'));
    return 0;
  }
  const source = sourceOf(set);
  const save = flags.save ?? `${set.name}.safetensors`;
  const report = `${save.replace(/\.safetensors$/, '')}.html`;
  await checkTarget(save, [], MODEL);
  await checkTarget(report, [], PAGE);
  terminal.err(
    `Training a network on ${set.name} by mini-batch ADMM: ${set.train.x.rows.toLocaleString('en-US')} images.\n` +
      'Ctrl-C stops it and keeps the model.\n',
  );
  const job: Job = {
    source,
    save,
    report,
    timeLimit,
    options: { ...(iterations !== undefined && { epochs: iterations }), ...(threads !== undefined && { threads }) },
  };
  const code = await runTraining(job, terminal);
  if (code !== 0) return code;
  const stored = await storedComparison(set.name);
  if (stored) await terminal.out(`\n${comparisonText(stored, 'a stored run; --compare measures it here')}`);
  await terminal.out(nextSteps(set.name, save));
  return code;
}

function nextSteps(name: string, model: string): string {
  // Within a checkout there is no dladmm on the path.
  const dladmm = process.env.npm_lifecycle_event === undefined ? 'dladmm' : 'npm run --silent dladmm --';
  return [
    '',
    'Try next:',
    `  ${dladmm} predict --model ${model} --data ${name} | head`,
    `  ${dladmm} train --data ${name} --solver dladmm --iterations 200 --save full-batch.safetensors`,
    `  ${dladmm} train --data your-own.csv --save your-own.safetensors`,
    `  ${dladmm} --help`,
    '',
  ].join('\n');
}
