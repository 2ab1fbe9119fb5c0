import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

test('the published declarations say what a call gives, and refuse what is no option', () => {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    noEmit: true,
    types: ['node'],
    paths: { dladmm: [path('../../dist/index.d.ts')] },
  };
  const found = ts.getPreEmitDiagnostics(ts.createProgram([path('consumer.ts')], options));
  const told = found.map(({ file, start = 0, messageText }) => {
    const line = file ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${file?.fileName}:${line} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
  expect(told).toEqual([]);
}, 60_000);

test('every member of a class of the package says in an editor what it is', () => {
  const files = ['index', 'data', 'report', 'choosing'].map((name) => path(`../../dist/${name}.d.ts`));
  const { NodeNext: module } = ts.ModuleKind;
  const program = ts.createProgram(files, { target: ts.ScriptTarget.ES2023, module, types: ['node'] });
  const checker = program.getTypeChecker();
  const textOf = (symbol: ts.Symbol): string =>
    symbol.declarations?.map((each) => each.getFullText().slice(0, each.getLeadingTriviaWidth())).join('') ?? '';
  const members = files.flatMap((file) => {
    const source = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile) as ts.Symbol;
    return checker.getExportsOfModule(source).flatMap((face) => {
      const own = face.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(face) : face;
      const all = own.flags & ts.SymbolFlags.Class ? [...(own.members?.values() ?? [])] : [];
      return all
        .filter(({ flags }) => !(flags & ts.SymbolFlags.TypeParameter))
        .map((each) => [face.name, each] as const);
    });
  });
  const silent = members.filter(
    ([, member]) =>
      !/^(?:name|__.*|#private)$/.test(member.name) &&
      !textOf(member).includes('@internal') &&
      ts.displayPartsToString(member.getDocumentationComment(checker)) === '',
  );
  expect(members.length).toBeGreaterThan(50);
  expect(silent.map(([face, { name }]) => `${face}.${name}`)).toEqual([]);
}, 60_000);
