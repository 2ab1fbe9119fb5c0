import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { examples, ROOT } from './blocks.js';

// Every example of the README and of the pages of docs/ is a module of its own, which a strict compiler takes as it stands, with what it says it is given.

/** What an example may take for granted. */
const GIVEN: Readonly<Record<string, string>> = {
  data: "{ x: import('dladmm').Matrix; labels: number[]; test: import('dladmm/data').ClassificationSplit }",
  batches: "import('dladmm/data').ClassificationSplit[]",
  rows: '[number, number, number, number][]',
  row: 'number[]',
  mails: '{ text: string; spam: string }[]',
  cursor: 'AsyncIterable<{ a: number; b: number; c: number; d: number; species: string }>',
  options: '{ layers: number[] }',
  x: 'Float64Array',
  y: 'Float64Array',
  connection: "import('@duckdb/node-api').DuckDBConnection",
};

/** A module of an example: only what it does not declare is given, and a page says where TypeScript wants `as const`. */
function moduleOf(code: string): string {
  const names = Object.keys(GIVEN).filter(
    (name) =>
      new RegExp(`\\b${name}\\b`).test(code) &&
      !new RegExp(`^(?:const|let) (?:\\{[^}]*)?\\b${name}\\b`, 'm').test(code),
  );
  const given = names.map((name) => `declare const ${name}: ${GIVEN[name]};\n`);
  const body = code.replace(/, …/g, '').replace(/^(const settings = .*\});$/gm, '$1 as const;');
  return `${given.join('')}${body}export {};\n`;
}

test('TypeScript takes the examples', () => {
  const modules = new Map(
    examples.map(({ place, code }) => [join(ROOT, 'test', `${place.replace(/\W/g, '-')}.mts`), { place, code }]),
  );
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ['node'],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => modules.has(name) || fileExists(name);
  host.readFile = (name) => {
    const example = modules.get(name);
    return example ? moduleOf(example.code) : readFile(name);
  };
  host.getSourceFile = (name, version) => {
    const text = host.readFile(name);
    return text === undefined ? undefined : ts.createSourceFile(name, text, version);
  };
  const found = ts.getPreEmitDiagnostics(ts.createProgram([...modules.keys()], options, host));
  const told = found.map(({ file, start = 0, messageText }) => {
    const line = file?.text.slice(file.text.lastIndexOf('\n', start) + 1).split('\n')[0];
    return `${modules.get(file?.fileName ?? '')?.place} ${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
  expect(told).toEqual([]);
}, 60_000);
