import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, onTestFinished, vi } from 'vitest';
import { command } from '../../dist/cli/command.js';

/** The command line as `npm test` has built it. */
export const MAIN: string = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  readonly child: ReturnType<typeof spawn>;
  readonly ended: Promise<Outcome>;
}

/** Starts `dladmm` in `folder`, away from any data folders of the environment. */
export function start(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const { DLADMM_DATA: _, DLADMM_DEBUG: __, npm_lifecycle_event: ___, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A test that fails half-way must not leave a training behind.
  onTestFinished(() => void child.kill('SIGKILL'));
  const text = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text.out += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text.err += part;
  });
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...text }));
  });
  return { child, ended };
}

/** What `dladmm` says and ends with, run in this process: a process of its own takes half a second to come up. */
async function here(args: readonly string[]): Promise<Outcome> {
  const text = { out: '', err: '' };
  const stream = (name: keyof typeof text): Writable =>
    new Writable({
      decodeStrings: false,
      write(part, _, done) {
        text[name] += String(part);
        done();
      },
    });
  const warned = (warning: Error): void => {
    text.err += `(node) ${warning}\n`;
  };
  const nothing = (): void => {};
  process.on('warning', warned);
  const code = await command(args, {
    ...{ stdout: stream('out'), stderr: stream('err'), env: process.env, pid: process.pid },
    ...{ on: nothing, removeAllListeners: nothing, kill: nothing },
  });
  // Warnings come after what they are about.
  await new Promise(setImmediate);
  process.off('warning', warned);
  return { code, signal: null, ...text };
}

/** A folder for all tests of a file, and `dladmm` run in it to its end: here, or with `start` and `runWith` as a process. */
export function inFolder() {
  const place = { folder: '', before: process.cwd() };
  beforeAll(async () => {
    place.folder = await mkdtemp(join(tmpdir(), 'dladmm-cli-'));
    process.chdir(place.folder);
    for (const name of ['DLADMM_DATA', 'DLADMM_DEBUG', 'npm_lifecycle_event']) vi.stubEnv(name, undefined);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    process.chdir(place.before);
    return rm(place.folder, { recursive: true, force: true });
  });
  return {
    path: (name: string): string => join(place.folder, name),
    start: (...args: readonly string[]): Running => start(place.folder, args),
    run: (...args: readonly string[]): Promise<Outcome> => here(args),
    runWith: (env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Outcome> =>
      start(place.folder, args, env).ended,
  };
}

/** Lines of JSON as objects. */
export const jsonLines = (text: string): readonly Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Resolves when `stream` has said something that matches. */
export function said(stream: NodeJS.ReadableStream | null, what: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    stream?.on('data', (part: unknown) => {
      text += String(part);
      if (what.test(text)) resolve();
    });
    stream?.on('close', () => reject(new Error(`Expected ${what} but the output was: ${text}`)));
  });
}
