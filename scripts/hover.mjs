// node scripts/hover.mjs: writes the sentence of each option into the emitted types (dist/**/*.d.ts), above the property that
// declares it, so that an editor shows it. The sentence stands once, in the declaration of the solver; types alone carry none.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS } from '../dist/solvers/index.js';
import { schemaOf } from '../dist/solvers/shared/descriptor.js';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** Where a schema begins: that of a solver by its name, or one that a module exports. */
const SOLVER = /\bSolver<"([\w-]+)", \{$/;
const EXPORTED = /^export declare const (\w+): \{$/;
/** Where it ends; for a solver its plan and its records follow, and whether its data are a graph. */
const END = /^\}(?! & \{$)/;
/** An option, as the emitted type of a schema has it; what lies in it is indented further. */
const OPTION = /^ {4}readonly (\w+): .*\bOption</;
const OPTION_LINE = new RegExp(OPTION, 'm');

const schemas = [...SAMPLE_SOLVERS, ...GRAPH_SOLVERS].map((solver) => [
  solver.name,
  solver.splitting.data === 'graph',
  schemaOf(solver),
]);
const schemaFor = (name, onGraph) => schemas.find((each) => each[0] === name && each[1] === onGraph)?.[2];

function comment({ says, symbol, equation, unit, otherwise }) {
  const about = [symbol, unit, equation].filter(Boolean).join(', ');
  const told = [says, about && `(${about})`, otherwise && `Default: ${otherwise}.`].filter(Boolean).join(' ');
  return `    /** ${told.replaceAll('*/', '*\\/')} */`;
}

/** The schema of that name, if it is one. */
const exported = (module, name) =>
  Object.values(module[name] ?? {}).some(({ says }) => says) ? module[name] : undefined;

function withSentences(text, module) {
  const lines = text.split('\n');
  const out = [];
  let schema;
  for (const [i, line] of lines.entries()) {
    if (END.test(line)) schema = undefined;
    const [, solver] = SOLVER.exec(line) ?? [];
    if (solver)
      schema = schemaFor(
        solver,
        lines
          .slice(i + 1)
          .find((each) => END.test(each))
          .includes('"graph"'),
      );
    const [, name] = EXPORTED.exec(line) ?? [];
    if (name) schema = exported(module, name);
    const option = schema?.[OPTION.exec(line)?.[1]];
    if (option && !lines[i - 1].startsWith('    /**')) out.push(comment(option));
    out.push(line);
  }
  return out.join('\n');
}

for (const file of readdirSync(DIST, { recursive: true }).filter((name) => /^(?!bench).*\.d\.ts$/.test(name))) {
  const path = join(DIST, file);
  const text = readFileSync(path, 'utf8');
  if (!OPTION_LINE.test(text)) continue;
  const told = withSentences(text, await import(path.replace(/\.d\.ts$/, '.js')));
  if (told !== text) writeFileSync(path, told);
}
