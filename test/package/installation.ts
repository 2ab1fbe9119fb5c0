import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, inject } from 'vitest';
import { drills } from '../children/drills.js';
import type { Installation } from './set-up.js';

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Ready = Extract<Installation, { kind: 'ready' }>;

/** Facts about the installed package; skipped, with the reason in their name, where it cannot be made or installed. */
export function describeInstalled(what: string, facts: (installation: Ready) => void): void {
  const installation = inject('installation');
  if (installation.kind === 'ready') describe(what, () => facts(installation));
  else describe.skip(`${what} (skipped: ${installation.reason})`, () => facts({} as Ready));
}

/** A process that has not ended by then hangs. */
const HANGS_AFTER = 100_000 * drills(1, 20);

/** Runs a program of the consumer's PATH in one of its folders, with nothing in its environment but what it needs. */
export async function run(
  { env }: Ready,
  folder: string,
  command: string,
  args: readonly string[],
  extra: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const child = spawn(join(env.PATH ?? '', command), args, {
    cwd: folder,
    env: { ...env, ...extra },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: HANGS_AFTER,
    killSignal: 'SIGKILL',
  });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (part: string) => {
      text[stream] += part;
    });
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, ...text };
}

/** Writes a program into the folder, where its imports find the package, and runs it. */
export function runProgram(
  installation: Ready,
  folder: string,
  name: string,
  text: string,
  flags: readonly string[] = [],
  extra: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  writeFileSync(join(folder, name), text);
  return run(installation, folder, 'node', [...flags, name], extra);
}
