// Sub-commands: quiet while all goes well, their last words when not.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';

const TAIL = 40;

/** A step that cannot be done; its message is all that the user needs to see. */
export class SetupError extends Error {}

/** What `command` prints, trimmed; undefined when it is missing or fails. */
export function capture(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    ...options,
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** True when `command` exists and ends with 0 on `args`. */
export function succeeds(command, args, options = {}) {
  return capture(command, args, options) !== undefined;
}

/** The full path of an executable, or undefined. Looks itself: `which` is not everywhere. */
export function find(command, exists) {
  return (process.env.PATH ?? '')
    .split(path.delimiter)
    .filter(Boolean)
    .map((folder) => path.join(folder, command))
    .find(exists);
}

const running = new Set();

// Whoever stops the set-up stops all that it started: npm and make would go on writing after the lock is gone.
// Each command leads a process group of its own, so that its children are reached too.
export function stopChildren() {
  for (const { pid } of running) {
    try {
      process.kill(-pid, 'SIGTERM');
    } catch {
      // It has just ended, or runs as root: nothing more can be done.
    }
  }
}

/**
 * Runs a command with its output in `logFile`.
 * Resolves to undefined on success, else to the end of the output as lines to show.
 */
export async function attempt(command, args, { logFile, cwd, env }) {
  mkdirSync(path.dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'w');
  const outcome = await new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    if (child.pid !== undefined) running.add(child);
    child.on('error', (error) => resolve(`${command}: ${error.message}`));
    child.on('close', (code, signal) =>
      resolve(code === 0 ? undefined : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
    child.on('close', () => running.delete(child));
  });
  closeSync(log);
  if (outcome === undefined) return undefined;
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-TAIL);
  return [...lines, `${[command, ...args].join(' ')}: ${outcome}`, `The whole output: ${logFile}`];
}

/** As `attempt`, but a failure is a SetupError that says `what` failed. */
export async function run(what, command, args, options) {
  const failure = await attempt(command, args, options);
  if (failure) throw new SetupError(`${what} failed\n${failure.map((line) => `  ${line}`).join('\n')}`);
}
