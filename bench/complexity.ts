/**
 * How the time of one update grows with the width n of the layers: the quadratic step of dlADMM beside the inversion steps,
 * for W and for a, in a network n-n-n with n = 64 · 2^(k/2), on a fixed number of samples and on as many samples as n.
 *
 * The whole run takes some minutes and, at n = 4096, about 8 GB. Progress goes to the standard error.
 */
import type { Dtype } from 'dladmm';
import { measure, type Setting, widths } from './complexity/measure.js';
import { reportJson, type SettingReport, settingReport, specificationOf, tableOf } from './complexity/report.js';
import { draw, HOW_TO_HAVE_CHARTS, loadCharts } from './harness/figures.js';
import { choice, count, file, flag, maybe, program, say, THREADS, told } from './harness/program.js';
import { checkWritable, keep, measured } from './harness/results.js';
import { combinations } from './harness/study.js';

/** Three widths at least: with fewer there is no interval. */
const SMALLEST_MAX = 128;

const PICTURE = 'complexity.svg';

const OPTIONS = {
  samples: told(count(256, 1, 1e6), 'samples of the settings with a fixed number'),
  max: told(maybe(count(4096, SMALLEST_MAX, 2 ** 15)), 'the largest width; default: 4096, with --quick 128'),
  dtype: told(choice(['float32', 'float64', 'both'], 'both'), 'the type of the numbers'),
  threads: THREADS,
  quick: told(flag, 'few widths and runs: a look at the output, not a measurement'),
  svg: told(file, `the picture; default: ${PICTURE}, with --quick none; needs: npm install vega vega-lite`),
  noSvg: told(flag, 'no picture'),
  out: told(file, 'write the JSON object into this file too'),
};

await program(
  OPTIONS,
  async ({ samples, dtype, threads, quick, max = quick ? 128 : 4096, json, svg, noSvg, out }) => {
    // Before the minutes of measuring.
    const picture = noSvg ? undefined : (svg ?? (quick ? undefined : PICTURE));
    for (const each of [picture, out]) if (each !== undefined) await checkWritable(each);
    const charts = picture === undefined ? undefined : await loadCharts();
    if (picture !== undefined && charts === undefined) say(HOW_TO_HAVE_CHARTS);
    const began = performance.now();
    const dtypes: readonly Dtype[] = dtype === 'both' ? ['float32', 'float64'] : [dtype];
    const settings = combinations<Setting>({ samples: [samples, 'n'], dtype: dtypes });
    const reports: SettingReport[] = [];
    for (const setting of settings) {
      reports.push(settingReport(setting, await measure(setting, widths(max), { threads, quick, tell: say })));
      if (!json) console.log(`${tableOf(reports.at(-1) as SettingReport)}\n`);
    }
    const seconds = (performance.now() - began) / 1000;
    const { text, ...its } = measured(threads, reportJson(reports));
    const result = { ...its.result, quick, seconds };
    if (out !== undefined) {
      await keep(out, result);
      say(`wrote ${out}`);
    }
    if (picture !== undefined && charts) await draw(picture, specificationOf(reports));
    return { result, text: `${text}, ${seconds.toFixed(0)} s` };
  },
  { name: 'dladmm: ' },
);
