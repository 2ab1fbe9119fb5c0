// Installs the packages of a platform as its users do, in a clean folder, and runs them there: natively, or by an emulator.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { faultsOf, inspect } from '../prebuild/check.mjs';
import { emulatorOf, here, packagesFor, targetOf } from '../prebuild/targets.mjs';
import { find } from '../setup/run.mjs';
import { installTools } from '../tools/install.mjs';
import { bunForMusl } from './musl.mjs';

const root = path.join(import.meta.dirname, '../..');
/** Recorded runs of the official code: plain, with other losses, and of the inversion ADMM. Their own tolerances hold on every platform. */
const GOLDENS = ['A1', 'B3', 'C1'];
const shared = process.env.DLADMM_SHARED ?? path.join(root, '..', 'shared');

/** Compilers and emulators come by apt, where that is allowed. */
export function installFor(platform) {
  const isThere = (name) => (name.startsWith('/') ? existsSync(name) : find(name, existsSync) !== undefined);
  const missing = Object.entries(packagesFor(targetOf(platform))).filter(([name]) => !isThere(name));
  if (missing.length === 0) return;
  const packages = missing.map(([, name]) => name);
  const args = ['install', '-y', '--no-install-recommends', ...packages];
  const { status } = spawnSync('apt-get', args, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0)
    throw new Error(
      `${missing.map(([name]) => name).join(' and ')} could not be installed: apt-get install ${packages.join(' ')}`,
    );
}

/** { words: those before a program's: the emulator, if it takes one, and a runtime; env: what that needs } */
function runtimeFor(target) {
  if (target.platform === here) return { words: [process.execPath], env: {} };
  if (target.libc === 'musl') return bunForMusl(target);
  const tools = installTools('scripts/tools/platforms', '--force');
  const node = path.join(tools, 'node_modules', `node-${target.system}-${target.arch}`, 'bin', 'node');
  return { words: [...emulatorOf(target), node], env: {} };
}

function run([command, ...args], cwd, env) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
    timeout: 900_000,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 26,
  });
  if (error) throw error;
  return {
    ended: status === 0,
    stdout,
    why: signal ?? `exit code ${status}\n${stderr.trim().split('\n').slice(-8).join('\n')}`,
  };
}

function install({ platform }, tarballs, folder) {
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "consumer", "version": "1.0.0", "private": true }');
  // npm refuses the package of another system where it is asked for by name, and would not install it where it is not.
  const foreign = platform === here ? [] : ['--force', '--ignore-scripts'];
  const args = ['npm', 'install', ...tarballs, '--prefer-offline', '--no-audit', '--no-fund', ...foreign];
  const { ended, why } = run(args, folder, process.env);
  if (!ended) throw new Error(`npm install: ${why}`);
}

/** What the consumer's program has to say. */
function faultsOfConsumer({ words, env }, target, folder) {
  cpSync(path.join(root, 'test/everywhere/app'), folder, { recursive: true });
  const { ended, stdout, why } = run([...words, 'consumer.mjs'], folder, env);
  if (!ended) return [`the consumer's program ended with ${why}`];
  const { kind, good, same, aborted, inWorker, info, runs } = JSON.parse(stdout);
  const addon = path.join(folder, 'node_modules/@dladmm', target.platform, 'dladmm.node');
  const facts = [
    ['trains', kind === 'completed' && good && same],
    ['trains in a worker thread', inWorker.kind === 'completed' && inWorker.good && inWorker.same],
    ['is aborted', aborted === 'aborted'],
    ['runs as it should', runs === `${target.system}-${target.arch}`],
    ['has the addon of its package', info.addon === addon],
  ];
  return facts
    .filter(([, holds]) => !holds)
    .map(([what]) => `the consumer's program is to be one that ${what}: ${stdout}`);
}

/** Of this checkout's addon for the platform, which is the one that was packed. */
function faultsOfGoldens({ words, env }, { libc }, tell) {
  return GOLDENS.flatMap((name) => {
    const folder = path.join(shared, 'golden', name);
    if (!existsSync(folder)) return [`there is no golden case in ${folder}; DLADMM_SHARED names the folder with them`];
    const { ended, stdout, why } = run([...words, 'dist/bench/golden.js', folder], root, {
      ...env,
      PREBUILDS_ONLY: '1',
      LIBC: libc,
    });
    tell(stdout.trim().split('\n').at(-1));
    return ended ? [] : [`golden ${name}: ${stdout.trim() || why}`];
  });
}

/** { ran: whether a training ended there; openblas: its version; faults: sentences } */
export async function runsOn(platform, tarballs, addon, tell) {
  const target = targetOf(platform);
  const runtime = runtimeFor(target);
  const folder = mkdtempSync(path.join(tmpdir(), 'dladmm-release-'));
  try {
    install(target, tarballs, folder);
    const found = inspect(addon);
    tell(
      `needs ${found.needed.join(', ')}; glibc ${found.glibc}; OpenBLAS ${found.openblas}; exports ${found.exports.join(', ')}`,
    );
    const consumer = faultsOfConsumer(runtime, target, folder);
    tell(
      consumer.length === 0
        ? 'the consumer’s program trains, predicts, is aborted, and works in a thread'
        : consumer[0],
    );
    return {
      ran: consumer.length === 0,
      openblas: found.openblas,
      faults: [
        ...faultsOf(found, target.libc),
        ...(runtime.lacks?.(addon) ?? []),
        ...consumer,
        ...faultsOfGoldens(runtime, target, tell),
      ],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
