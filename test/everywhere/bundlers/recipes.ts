/** The recipes of docs/bundlers.md, followed to the letter; what they make runs alone. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome, Ready } from '../../package/installation.js';
import { execute } from '../execute.js';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** Below the tools, so that they are found from it; the package is its own. */
export const APP = path('.work/app');
const TABLE = path('../../fixtures/columnar/pyarrow-decimal.parquet');
const PAGE = readFileSync(path('../../../docs/bundlers.md'), 'utf8');
/** Who may write nowhere, where this user may become somebody else. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

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
      return name === undefined ? [] : [{ name, text: name.endsWith('.json') ? text.replace(/^.*\n/, '') : text }];
    }),
    commands: blocks.filter((text) => !text.startsWith('// ')),
  };
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

/** What a developer's commands are given: the tools, and Node; no home. */
const TOOLS = ['node_modules/.bin', '../../../node_modules/.bin'].map(path).join(delimiter);
const { HOME: _, ...INHERITED } = process.env;
const DEVELOPER = {
  ...INHERITED,
  PATH: `${TOOLS}${delimiter}${process.env.PATH}`,
  NO_COLOR: '1',
  NEXT_TELEMETRY_DISABLED: '1',
};

/** What a command does in the folder of the programs. */
export const inApp = (command: string): Promise<Outcome> =>
  execute('sh', ['-ec', command.replace(/\bnpx /, '')], { cwd: APP, env: DEVELOPER });

async function follow(commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    const { code, stdout, stderr } = await inApp(command);
    if (code !== 0) throw new Error(`${command}: exit code ${code}\n${stdout}\n${stderr}`);
  }
}

/** Builds by a recipe, without the command that runs what was built: that is told. */
export async function built(heading: string, copied = true): Promise<string> {
  rmSync(join(APP, 'out'), { recursive: true, force: true });
  const { files, commands } = recipeOf(heading);
  for (const { name, text } of files) writeFileSync(join(APP, name), text);
  const runs = /^(?:node [\w.]+|\.\/app)$/;
  await follow(commands.filter((command) => !runs.test(command)));
  if (copied) await follow(recipeOf('In a bundle').commands);
  return commands.find((command) => runs.test(command)) ?? '';
}

/** What of a folder may be done: 'a-w', 'u+w'. */
const allow = (what: string, folder: string): void => void spawnSync('chmod', ['-R', what, folder]);

/** A folder of its own with what was built, which cannot be written. */
export function deployed(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dladmm-alone-'));
  cpSync(join(APP, 'out'), folder, { recursive: true, verbatimSymlinks: true });
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

/** While the folder where it was built is gone. */
async function apart<T>(work: () => Promise<T>): Promise<T> {
  const gone = `${APP}.gone`;
  renameSync(APP, gone);
  try {
    return await work();
  } finally {
    renameSync(gone, APP);
  }
}

const shell = (command: string): string => `exec ${command.replace(/^node /, `${process.execPath} `)}`;

/** Runs something there without a home, and without the folder where it was built. */
export const alone = (folder: string, command: string, env: object = {}): Promise<Outcome> =>
  apart(() => execute('/bin/sh', ['-c', shell(command)], { cwd: folder, env, ...NOBODY }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

interface Served {
  readonly status: number;
  readonly body: string;
  /** By the server itself. */
  readonly said: string;
}

/** The same with a server, which is asked for one page. */
export const served = (folder: string, command: string, page: string): Promise<Served> =>
  apart(async () => {
    const PORT = `${await freePort()}`;
    const env = { PORT, HOSTNAME: '127.0.0.1' };
    const server = spawn('/bin/sh', ['-c', shell(command)], { cwd: folder, env, ...NOBODY });
    let said = '';
    const ready = new Promise<void>((resolve) => {
      for (const stream of [server.stdout, server.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          said += text;
          if (/Ready/.test(said)) resolve();
        });
      }
      server.once('exit', () => resolve());
    });
    try {
      await ready;
      const response = await fetch(`http://127.0.0.1:${PORT}${page}`);
      return { status: response.status, body: await response.text(), said };
    } finally {
      const ended = server.exitCode === null && server.signalCode === null ? once(server, 'exit') : undefined;
      server.kill();
      await ended;
    }
  });
