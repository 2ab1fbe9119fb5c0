/** How a page looks, and what draws its charts where it is opened: uPlot, copied into the page. */
import { readFileSync } from 'node:fs';
import { packageRequire } from '../core/package.js';

const file = (name: string): string => readFileSync(packageRequire().resolve(`uplot/dist/${name}`), 'utf8').trim();

const LOOK = `
:root{color-scheme:light dark;--ink:#1c1d22;--paper:#fff;--quiet:#5a5d66;--line:#d9dbe0;--bar:#0b6bb0;--heat:11,107,176}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e7e8ec;--paper:#16171b;--quiet:#a4a8b3;--line:#3a3d46;--bar:#5aa9e6;--heat:90,169,230}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem;max-width:76rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0 0 .5rem;overflow-wrap:anywhere}h2{font-size:1.25rem;margin:2rem 0 .75rem;border-bottom:1px solid var(--line)}h3{font-size:1rem;margin:0 0 .25rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0}dt{color:var(--quiet)}dd{margin:0;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.5rem}
figure{margin:0;min-width:0}figcaption{color:var(--quiet);font-size:.85rem}.plot{min-height:260px}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}caption{text-align:left;color:var(--quiet);padding:.25rem 0}
th,td{padding:.2rem .6rem;text-align:right;border-bottom:1px solid var(--line)}tbody th,thead th:first-child{text-align:left;font-weight:400}
.words td,.words th{text-align:left;vertical-align:top}.wide{overflow-x:auto}pre{overflow-x:auto;font-size:.85rem;white-space:pre-wrap}summary{cursor:pointer;color:var(--quiet);font-size:.85rem}
.bar{display:inline-block;height:.8em;min-width:1px;background:var(--bar);vertical-align:baseline}
button{font:inherit;padding:.15rem .7rem;margin:0 .4rem .4rem 0}button[aria-pressed=true]{outline:2px solid var(--bar)}
.note{border-left:3px solid var(--bar);padding-left:.75rem}
:focus-visible{outline:2px solid var(--bar);outline-offset:2px}
.u-legend{color:var(--ink)}
@media print{:root{color-scheme:light;print-color-adjust:exact}body{max-width:none;padding:0}figure,section h2{break-inside:avoid;break-after:avoid}details:not([open]){display:none}}
`;

/** Okabe and Ito's colours, which people tell apart who see few; the second eight are dashed. */
const DRAW = `
(() => {
  const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8a7500', '#7f7f7f'];
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const draw = (place) => {
    const { across, up, log, points, x, curves } = JSON.parse(place.nextElementSibling.textContent);
    const data = [x, ...curves.map(({ values }) => values)];
    const kind = JSON.stringify([log, x.length < 30, curves.map(({ name }) => name)]);
    if (place.kind === kind) return place.plot.setData(data);
    const style = getComputedStyle(document.documentElement);
    const [stroke, line] = ['--ink', '--line'].map((name) => style.getPropertyValue(name).trim());
    const axis = { stroke, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const short = (value) => {
      if (value === null || value === undefined) return '–';
      const size = Math.abs(value);
      const number = Number(value.toPrecision(4));
      return size !== 0 && (size < 1e-3 || size >= 1e6) ? number.toExponential() : String(number);
    };
    const isPower = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
    const powers = { filter: (_, all) => all.map((value) => !log || isPower(value) ? value : null) };
    const series = curves.map(({ name }, i) => ({
      label: name, stroke: colours[i % 8], width: 1.5, dash: i < 8 ? [] : [6, 4], spanGaps: true,
      value: (_, value) => short(value), points: { show: points || x.length < 30, size: 5 }, ...(points && { paths: () => null }),
    }));
    place.plot?.destroy();
    place.kind = kind;
    place.plot = new uPlot({
      width: Math.max(240, place.clientWidth), height: 260,
      scales: { x: { time: false }, y: { distr: log ? 3 : 1 } },
      axes: [{ ...axis, label: across, labelSize: 20 }, { ...axis, ...powers, grid: { ...axis.grid, ...powers }, ticks: { ...axis.ticks, ...powers },
        label: up, labelSize: 20, size: 72, values: (_, all) => all.map((value) => value === null ? '' : short(value)) }],
      series: [{ label: across }, ...series],
    }, data, place);
  };
  const all = () => document.querySelectorAll('.plot').forEach((place) => {
    place.kind = undefined;
    draw(place);
  });
  globalThis.draw = draw;
  all();
  for (const query of [dark, matchMedia('print')]) query.addEventListener('change', all);
  let wait;
  addEventListener('resize', () => { clearTimeout(wait); wait = setTimeout(all, 100); });
})();
`;

/** Nothing is asked of anybody: what is not in the page is not there. */
export const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/** What every page of ours begins with, so that no other file is overwritten by one. */
export const HEAD = '<!doctype html><!-- a page of dladmm -->';

/** A page that is whole in itself. Title and body are HTML; `more` is a script that follows. */
export const pageOf = (title: string, body: string, { policy = POLICY, more = '' } = {}): string =>
  [
    `${HEAD}<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`,
    `<meta http-equiv="Content-Security-Policy" content="${policy}"><link rel="icon" href="data:,">`,
    `<title>${title}</title><style>${file('uPlot.min.css')}${LOOK}</style></head><body>`,
    `<main>${body}</main>`,
    `<script>${file('uPlot.iife.min.js')}</script><script>${DRAW}${more}</script></body></html>\n`,
  ].join('\n');
