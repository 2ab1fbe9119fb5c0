/** What an editor shows of an option as it is written: the sentence of its declaration, from the types that users get. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { beforeAll, expect, test } from 'vitest';
import { SAMPLE_SOLVERS } from '../../src/solvers/index.js';
import { schemaOf } from '../../src/solvers/shared/descriptor.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = `${root}hover.ts`;
const calls = SAMPLE_SOLVERS.map((solver) => ({ name: solver.name, schema: schemaOf(solver) }));

const source = [
  "import { fit } from './dist/index.js';",
  ...calls.map(({ name, schema }) => {
    const options = Object.keys(schema).map((key) => `${key}: undefined!`);
    return `void fit({ x: [[1]], labels: [0] }, { solver: '${name}', ${options.join(', ')} });`;
  }),
].join('\n');

let service: ts.LanguageService;
beforeAll(() => {
  execFileSync(process.execPath, ['scripts/hover.mjs'], { cwd: root });
  service = ts.createLanguageService({
    ...ts.sys,
    useCaseSensitiveFileNames: () => true,
    getScriptFileNames: () => [file],
    getScriptVersion: () => '1',
    getScriptSnapshot(name) {
      const text = name === file ? source : ts.sys.readFile(name);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCompilationSettings: () => ({
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      strict: true,
      types: ['node'],
    }),
    getCurrentDirectory: () => root,
    getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
  });
});

test.each(calls)('the options of $name', ({ name, schema }) => {
  const from = source.indexOf(`'${name}'`);
  const missing = Object.entries(schema).filter(([key, { says }]) => {
    const shown = service.getQuickInfoAtPosition(file, source.indexOf(` ${key}: `, from) + 1);
    return !ts.displayPartsToString(shown?.documentation).includes(says);
  });
  expect(missing.map(([key]) => key)).toEqual([]);
});
