// node scripts/options.mjs [--check]: writes docs/options.md, the tables of all options, from the declarations of the solvers;
// with --check it tells whether the file is as it should be.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FOLDS, PATH, SEARCH } from '../dist/choosing/options.js';
import { COMPRESS } from '../dist/compressing/options.js';
import { LOAD } from '../dist/datasets/datasets.js';
import { DOWNLOAD } from '../dist/datasets/download.js';
import { FILE } from '../dist/datasets/file.js';
import { READING } from '../dist/datasets/frame-file.js';
import { GRAPH_FILE } from '../dist/datasets/graph.js';
import { GRAPH_SPLIT } from '../dist/datasets/graph-split.js';
import { IMPORTANCE } from '../dist/model/importance.js';
import { IMPORT, ONNX, STATE_DICT } from '../dist/model/options.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS } from '../dist/solvers/index.js';
import { schemaOf } from '../dist/solvers/shared/descriptor.js';
import { COMMON } from '../dist/solvers/shared/options.js';
import { AUTO, FRONT } from '../dist/training/options.js';
import { PACK } from '../dist/training/pack.js';

const PAGE = fileURLToPath(new URL('../docs/options.md', import.meta.url));

const cell = (text) => text.replaceAll('|', '\\|');

function* rows(schema, prefix = '') {
  for (const [name, option] of Object.entries(schema)) {
    const { type, says, symbol, equation, unit, otherwise, presence, typed } = option;
    const told = [says, ...(equation ? [`(${equation})`] : [])].join(' ');
    const standing = presence === 'required' ? 'required' : (otherwise ?? '');
    const symbols = [symbol, unit].filter(Boolean).join(', ');
    yield `| \`${prefix}${name}\` | ${symbols} | \`${cell(type)}\` | ${cell(standing)} | ${cell(told)} |`;
    if (typed.as === 'group') yield* rows(typed.fields, `${prefix}${name}.`);
  }
}

const table = (schema) =>
  ['| option | symbol | type | default | |', '| --- | --- | --- | --- | --- |', ...rows(schema)].join('\n');

function section(solver) {
  const schema = schemaOf(solver);
  // What a solver has in common with all others stands in the first table.
  const own = beside(schema, COMMON);
  const missing = Object.keys(COMMON).filter((name) => !(name in schema));
  return [
    `## \`${solver.name}\`${solver.splitting.data === 'graph' ? ' on a graph' : ''}`,
    `${solver.title}.${solver.source ? ` ${solver.source}.` : ''}`,
    table(own),
    ...(missing.length > 0 ? [`It has no ${missing.map((name) => `\`${name}\``).join(', ')}.`] : []),
  ].join('\n\n');
}

/** What a schema has that another has not. */
const beside = (schema, other) =>
  Object.fromEntries(Object.entries(schema).filter(([name, option]) => other[name] !== option));

const text = `${[
  '# Options',
  'Written by `npm run docs:options` from the declarations (of the solvers in `src/solvers/*/solver.ts`, of the others in `options.ts` of their room); do not edit it by hand.',
  '## Every solver',
  table(COMMON),
  '## Rows, and trainings without a named solver',
  '`fit` and `train` of rows take these too, whichever solver trains.',
  table(FRONT),
  'Where no solver is named:',
  table(beside(AUTO, COMMON)),
  '## Packing samples',
  '`packSamples` takes what says how rows become samples, and:',
  table({ precision: PACK.precision }),
  '## Reading a table',
  '`model.predict`, `model.evaluate`, `model.tuneThreshold` and `model.calibrate` take these with rows in any form. What says how CSV is written is refused for rows\nthat are none, and the names of columns for rows that have none.',
  table(READING),
  '## Reading a file into matrices',
  '`readTable` takes these; `readCsv` and `parseCsv` all but `labels`, readers of Parquet and Arrow those of a file that has its types.',
  table(FILE),
  '## Cross-validation',
  table(FOLDS),
  '## A path of strengths',
  '`path` takes what cross-validation takes, and:',
  table(beside(PATH, FOLDS)),
  '## Search',
  'What cross-validation takes, and:',
  table(beside(SEARCH, FOLDS)),
  '## Compressing',
  'What is said of how a model is made smaller (docs/compress.md).',
  table(COMPRESS),
  '## Importance',
  'What reading a table takes, and:',
  table(beside(IMPORTANCE, READING)),
  '## A random split of a graph',
  table(GRAPH_SPLIT),
  '## Named data sets and graphs',
  '`listDatasets`, `listGraphs` and `searchPath` take the first three, `loadGraph` all but `download` and what reading a graph takes but `partial`.',
  table(LOAD),
  '## Reading a graph',
  table(GRAPH_FILE),
  '## Writing ONNX',
  table(ONNX),
  '## Reading ONNX and state dicts',
  '`importOnnx` and `importStateDict` take:',
  table(IMPORT),
  '`importStateDict` alone, and where it differs:',
  table(beside(STATE_DICT, IMPORT)),
  '## Downloads',
  table(DOWNLOAD),
  ...[...SAMPLE_SOLVERS, ...GRAPH_SOLVERS].map(section),
].join('\n\n')}\n`;

if (process.argv.includes('--check')) {
  if (readFileSync(PAGE, 'utf8') !== text) {
    console.error('docs/options.md is stale: npm run docs:options');
    process.exitCode = 1;
  }
} else {
  writeFileSync(PAGE, text);
}
