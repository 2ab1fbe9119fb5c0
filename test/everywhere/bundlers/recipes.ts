/** The recipes of docs/bundlers.md, followed to the letter; what they make runs alone. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome, Ready } from '../../package/installation.js';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** Below the tools, so that they are found from it; the package is its own. */
export const APP = path('.work/app');
const TABLE = path('../../fixtures/columnar/pyarrow-decimal.parquet');
const PAGE = readFileSync(path('../../../docs/bundlers.md'), 'utf8');
/** Who may write nowhere, where this user may become somebody else. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
/** A process that has not ended by then hangs. */
const HANGS_AFTER = 280_000;

interface Recipe {
  readonly files: readonly { readonly name: string; readonly text: string }[];
  readonly commands: readonly string[];
}

/** What is indented below a heading: files, which begin with their name, and commands. */
export function recipeOf(heading: string): Recipe {
  const section = PAGE.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`docs/bundlers.md has no ${heading}`);
  const blocks = [...section.matchAll(/(?:^ {4}.*\n(?:\n(?= {4}))*)+/gm)].flatMap(([block]) => {
    const text = block.replace(/^ {4}/gm, '');
    return text.startsWith('// ') ? [text] : text.split('\n').filter(Boolean);
  });
  return {
    files: blocks.flatMap((text) => {
      const name = /^\/\/ (\S+)\n/.exec(text)?.[1];
      return name === undefined ? [] : [{ name, text }];
    }),
    commands: blocks.filter((text) => !text.startsWith('// ')),
  };
}

export function execute(command: string, args: readonly string[], options: object): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { timeout: HANGS_AFTER, killSignal: 'SIGKILL', maxBuffer: 2 ** 26, ...options },
      (_, stdout, stderr) => resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

/** A folder with the package and the programs, as those who bundle have one. */
export function layOut({ plain }: Ready): void {
  clearAway();
  mkdirSync(APP, { recursive: true });
  cpSync(join(plain, 'node_modules'), join(APP, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  cpSync(path('../app'), APP, { recursive: true });
  cpSync(TABLE, join(APP, 'table.parquet'));
  writeFileSync(join(APP, 'package.json'), '{ "private": true }');
}

export const clearAway = (): void => rmSync(path('.work'), { recursive: true, force: true });

/** What a developer's commands are given: the tools, and Node. */
const TOOLS = ['node_modules/.bin', '../../../node_modules/.bin'].map(path).join(delimiter);
export const DEVELOPER = { ...process.env, PATH: `${TOOLS}${delimiter}${process.env.PATH}`, NO_COLOR: '1' };

export async function follow(commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    const { code, stdout, stderr } = await execute('sh', ['-ec', command.replace(/^npx /, '')], {
      cwd: APP,
      env: DEVELOPER,
    });
    if (code !== 0) throw new Error(`${command}: exit code ${code}\n${stdout}\n${stderr}`);
  }
}

/** Builds by a recipe; the command that runs what it made. */
export async function built(heading: string): Promise<string> {
  rmSync(join(APP, 'out'), { recursive: true, force: true });
  const { files, commands } = recipeOf(heading);
  for (const { name, text } of files) writeFileSync(join(APP, name), text);
  const last = commands.at(-1);
  if (last === undefined) throw new Error(`docs/bundlers.md has no commands below ${heading}`);
  await follow(commands.slice(0, -1));
  await follow(recipeOf('In a bundle').commands);
  return last;
}

/** What of a folder may be done: 'a-w', 'u+w'. */
const allow = (what: string, folder: string): void => void spawnSync('chmod', ['-R', what, folder]);

/** A folder of its own with what was built, which cannot be written. */
export function deployed(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dladmm-alone-'));
  cpSync(join(APP, 'out'), folder, { recursive: true });
  cpSync(TABLE, join(folder, 'table.parquet'));
  allow('a+rX,a-w', folder);
  return folder;
}

/** The folder without some of it, or without all. */
export function remove(folder: string, ...names: readonly string[]): void {
  allow('u+w', folder);
  for (const name of names.length === 0 ? [''] : names) rmSync(join(folder, name), { recursive: true });
  if (names.length > 0) allow('a-w', folder);
}

/** Runs something there without a home, while the folder where it was built is gone. */
export async function alone(folder: string, command: string, env: object = {}): Promise<Outcome> {
  const gone = `${APP}.gone`;
  renameSync(APP, gone);
  try {
    const program = command.replace(/^node /, `${process.execPath} `);
    return await execute('/bin/sh', ['-c', `exec ${program}`], { cwd: folder, env, ...NOBODY });
  } finally {
    renameSync(gone, APP);
  }
}
