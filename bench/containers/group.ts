/** A control group with a quota of processor time, of version 1 or 2, for as long as some work lasts. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DlAdmmError } from 'dladmm';
import { messageOf } from '../harness/internals.js';

const MOUNT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

/** Where the group of this process lies: with the controller of version 1, or in the one hierarchy of version 2. */
async function place(): Promise<{ readonly version: 1 | 2; readonly folder: string }> {
  const lines = (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\n');
  const own = (controllers: RegExp): string => lines.find((line) => controllers.test(line))?.split(':')[2] ?? '/';
  if (existsSync(`${MOUNT}/cgroup.controllers`)) return { version: 2, folder: join(MOUNT, own(/^0::/)) };
  return { version: 1, folder: join(MOUNT, 'cpu', own(/^\d+:([^:]*,)?cpu(,[^:]*)?:/)) };
}

/**
 * Does some work with a group that may use so many processors; `procs` is the file that takes in processes by number.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE where this machine lets nobody make such a group
 */
export async function withQuota<T>(processors: number, work: (procs: string) => Promise<T>): Promise<T> {
  const { version, folder } = await place();
  const group = join(folder, `dladmm-bench-${process.pid}`);
  const quota = String(Math.round(processors * PERIOD_US));
  const limits =
    version === 2
      ? { 'cpu.max': `${quota} ${PERIOD_US}` }
      : { 'cpu.cfs_period_us': `${PERIOD_US}`, 'cpu.cfs_quota_us': quota };
  try {
    if (version === 2) await writeFile(join(folder, 'cgroup.subtree_control'), '+cpu');
    await mkdir(group, { recursive: true });
    for (const [file, limit] of Object.entries(limits)) await writeFile(join(group, file), limit);
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
