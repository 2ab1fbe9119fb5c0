/**
 * How the time of one update grows with the width n of the layers: the quadratic step of dlADMM beside the inversion steps,
 * for W and for a, in a network n-n-n with n = 64 · 2^(k/2), on a fixed number of samples and on as many samples as n.
 *
 *     npm run --silent bench:complexity -- [--samples 256] [--max 4096] [--dtype float32|float64|both] [--threads N]
 *                                          [--quick] [--json] [--svg FILE | --no-svg] [--out FILE]
 *     dladmm bench complexity [the same]
 *
 * The whole run takes some minutes and, at n = 4096, about 8 GB. Progress goes to the standard error.
 */
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { DlAdmmError } from 'dladmm';
import { checkWritable, writeFileAtomic } from '#atomic-file';
import { native } from '#native';
import { specificationOf } from './complexity/chart.js';
import { type Setting, widths } from './complexity/curves.js';
import { reportJson } from './complexity/json.js';
import { measure } from './complexity/measure.js';
import { type SettingReport, settingReport } from './complexity/report.js';
import { tableOf } from './complexity/table.js';
import { HOW_TO_HAVE_CHARTS, loadCharts } from './draw.js';

interface Flags {
  readonly samples: number;
  readonly max?: number;
  readonly dtype: Setting['dtype'] | 'both';
  readonly threads: number;
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly svg?: string | false;
  readonly out?: string;
}

/** Three widths at least: with fewer there is no interval. */
const SMALLEST_MAX = 128;

const PICTURE = 'complexity.svg';

const wholeFrom =
  (low: number, high: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= low && value <= high)) {
      throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}.`);
    }
    return value;
  };

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const program = new Command('dladmm bench complexity')
  .description(
    'times one W update and one a update, by quadratic and by inversion steps, against the width n of the layers',
  )
  .option('--samples <n>', 'samples of the settings with a fixed number', wholeFrom(1, 1e6), 256)
  .option('--max <n>', 'the largest width (default: 4096, with --quick 128)', wholeFrom(SMALLEST_MAX, 2 ** 15))
  .addOption(
    new Option('--dtype <type>', 'the type of the numbers').choices(['float32', 'float64', 'both']).default('both'),
  )
  .option('--threads <n>', 'threads', wholeFrom(1, 64), Math.min(availableParallelism(), 64))
  .option('--quick', 'few widths and runs: a look at the output, not a measurement')
  .option('--json', 'one JSON object instead of the tables')
  .option('--svg <file>', `the picture (default: ${PICTURE}, with --quick none; needs: npm install vega vega-lite)`)
  .option('--no-svg', 'no picture')
  .option('--out <file>', 'write the JSON object into this file too')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'dladmm: ')) })
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

try {
  await main(program.parse().opts<Flags>());
} catch (error) {
  if (!(error instanceof DlAdmmError)) throw error;
  say(`dladmm: ${error.message}`);
  process.exitCode = 1;
}

async function main({ samples, dtype, threads, quick = false, max = quick ? 128 : 4096, json, svg, out }: Flags) {
  // Before the minutes of measuring.
  const picture = svg ?? (quick ? false : PICTURE);
  for (const file of [picture, out]) if (file) await checkWritable(file);
  const charts = picture ? await loadCharts() : undefined;
  if (picture && charts === undefined) say(HOW_TO_HAVE_CHARTS);
  const began = performance.now();
  const dtypes = dtype === 'both' ? (['float32', 'float64'] as const) : [dtype];
  const settings = [samples, 'n' as const].flatMap((count) => dtypes.map((type) => ({ dtype: type, samples: count })));
  const reports: SettingReport[] = [];
  for (const setting of settings) {
    const report = settingReport(setting, await measure(setting, widths(max), { threads, quick, tell: say }));
    reports.push(report);
    if (!json) console.log(`${tableOf(report)}\n`);
  }
  const seconds = (performance.now() - began) / 1000;
  const object = { ...reportJson(reports), threads, openblasCore: native.info().core, quick, seconds };
  const text = JSON.stringify(object);
  if (json) console.log(text);
  else console.log(`${threads} threads, OpenBLAS kernel ${object.openblasCore}, ${seconds.toFixed(0)} s`);
  if (out !== undefined) await write(out, `${JSON.stringify(object, undefined, 1)}\n`);
  if (picture && charts) await write(picture, await charts(specificationOf(reports)));
}

async function write(file: string, text: string): Promise<void> {
  await writeFileAtomic(file, new TextEncoder().encode(text));
  say(`wrote ${file}`);
}
