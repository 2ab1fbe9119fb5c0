/** A control group with a limit, of version 1 or 2, for as long as some work lasts. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DlAdmmError } from 'dladmm';
import { messageOf } from '../harness/internals.js';

const MOUNT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

/** Where the group of this process lies: with the controller of version 1, or in the one hierarchy of version 2. */
async function place(controller: string): Promise<{ readonly version: 1 | 2; readonly folder: string }> {
  const lines = (await readFile('/proc/self/cgroup', 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(':'));
  const own = (named: string): string => lines.find(([, names]) => names?.split(',').includes(named))?.[2] ?? '/';
  if (existsSync(`${MOUNT}/cgroup.controllers`)) return { version: 2, folder: join(MOUNT, own('')) };
  return { version: 1, folder: join(MOUNT, controller, own(controller)) };
}

/** Files of a limit, of either version. */
type Limits = Readonly<Record<1 | 2, Readonly<Record<string, string>>>>;

/**
 * Does some work with a group that may use so many processors; `procs` is the file that takes in processes by number.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE where this machine lets nobody make such a group
 */
export function withQuota<T>(processors: number, work: (procs: string) => Promise<T>): Promise<T> {
  const quota = String(Math.round(processors * PERIOD_US));
  const first = { 'cpu.cfs_period_us': `${PERIOD_US}`, 'cpu.cfs_quota_us': quota };
  return withLimits('cpu', { 1: first, 2: { 'cpu.max': `${quota} ${PERIOD_US}` } }, work);
}

/** The same with a group that may use so many bytes, what the system keeps of files for it included. */
export const withMemory = <T>(bytes: number, work: (procs: string) => Promise<T>): Promise<T> =>
  withLimits('memory', { 1: { 'memory.limit_in_bytes': `${bytes}` }, 2: { 'memory.max': `${bytes}` } }, work);

async function withLimits<T>(controller: string, limits: Limits, work: (procs: string) => Promise<T>): Promise<T> {
  const { version, folder } = await place(controller);
  const group = join(folder, `dladmm-bench-${process.pid}`);
  try {
    if (version === 2) await writeFile(join(folder, 'cgroup.subtree_control'), `+${controller}`);
    await mkdir(group, { recursive: true });
    for (const [file, limit] of Object.entries(limits[version])) await writeFile(join(group, file), limit);
  } catch (cause) {
    const what = `Could not make a control group (version ${version}) in ${folder}: ${messageOf(cause)}`;
    throw new DlAdmmError('ERR_DLADMM_FILE', what, { cause });
  }
  try {
    return await work(join(group, 'cgroup.procs'));
  } finally {
    await removed(group);
  }
}

/** The last processes of a group take a moment to be gone. */
async function removed(group: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    if ((await rmdir(group).catch(() => 'busy')) !== 'busy') return;
    await sleep(100);
  }
}
