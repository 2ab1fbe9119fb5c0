import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Outcome, run, runProgram } from '../children/run.js';

const DIST = new URL('../../dist/', import.meta.url).href;

const works = (command: string, ...args: readonly string[]): boolean => {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** A training, and how it ends; `VmSize` is what the process has taken of addresses before. */
const TRAINING = `
  import { readFileSync } from 'node:fs';
  const { fit } = await import('${DIST}index.js');
  const taken = /VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1];
  const data = { x: new Float32Array(3000 * 60).fill(0.5), labels: new Int32Array(3000).map((_, i) => i % 3) };
  const options = { layers: [60, 80, 3], threads: 4, ...JSON.parse(process.argv.at(-1)) };
  const how = await fit(data, options).then(({ status }) => status.kind, ({ name, code }) => name + ' ' + code);
  console.log(taken, how);
`;

function trained(options: object, mebibytes?: number): Promise<Outcome> {
  const node = [process.execPath, '--input-type=module', '--eval', TRAINING, JSON.stringify(options)] as const;
  if (mebibytes === undefined) return run(node[0], node.slice(1));
  return run('prlimit', [`--as=${Math.floor(mebibytes * 2 ** 20)}`, ...node]);
}

describe.skipIf(!works('prlimit', '--version'))('a limit of addresses', () => {
  test.each([
    ['dladmm', { iterations: 2 }],
    ['adam', { solver: 'adam', epochs: 1 }],
    ['inversion-admm', { solver: 'inversion-admm', iterations: 2 }],
  ])('%s trains under it, or is refused: it never hangs and never dies', async (_, options) => {
    const free = await trained(options);
    expect(free).toMatchObject({ code: 0, stdout: expect.stringContaining('completed') });
    const taken = Number(free.stdout.split(' ')[0]) / 1024;
    const ends: string[] = [];
    for (const room of [280, 340, 400, 470, 550, 700, 1200]) {
      const { code, signal, stdout, stderr } = await trained(options, taken + room);
      expect({ room, code, signal, stderr }).toEqual({ room, code: 0, signal: null, stderr: '' });
      expect(stdout).toMatch(/ (completed|DlAdmmError ERR_DLADMM_MEMORY)\n/);
      ends.push(stdout.split(' ')[1]?.trim() ?? '');
    }
    // With less room there is no training where with more there is none.
    expect(ends.at(-1)).toBe('completed');
  });

  test('too small for the addon is told before it is loaded', async () => {
    const free = await trained({ iterations: 1 });
    const { code, stdout } = await trained({ iterations: 1 }, Number(free.stdout.split(' ')[0]) / 1024 + 150);
    expect(code).toBe(0);
    expect(stdout).toContain('DlAdmmError ERR_DLADMM_MEMORY');
  });

  test('that leaves no room for the copy of a block rejects the read, and the next one works', async () => {
    const outcome = await runProgram(`
      import { execFileSync } from 'node:child_process';
      const width = 4000;
      const options = { network: { layers: [width, width, 3], activation: 'relu', loss: 'softmax-cross-entropy' }, dtype: 'float64', threads: 1, softmax: 'stable', gram: false, fista: false };
      const state = await layered.open(options, { x: new Float32Array(2 * width), labels: [0, 1] });
      const status = readFileSync('/proc/self/status', 'latin1');
      const limit = (bytes) => execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + bytes + ':']);
      limit(1024 * Number(/VmSize:\\s+(\\d+)/.exec(status)[1]) + Math.round(1.9 * 8 * width * width));
      const end = (promise) => promise.then(({ data }) => data.length, ({ name, code }) => name + ' ' + code);
      console.log(await end(state.read('W', 1)));
      limit('unlimited');
      console.log(await end(state.read('W', 1)));
      state.close();
    `);
    expect(outcome).toEqual({
      code: 0,
      signal: null,
      stdout: 'DlAdmmError ERR_DLADMM_MEMORY\n16000000\n',
      stderr: '',
    });
  });
});

/** A control group of so many bytes with another in it, which has no limit of its own; undefined where none can be made. */
async function limitedGroup(bytes: number): Promise<{ readonly procs: string; end(): void } | undefined> {
  const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const lines = (await readFile('/proc/self/cgroup', 'latin1').catch(() => '')).split('\n');
  const own = lines.find((line) => (v2 ? /^0::/ : /^\d+:([^:]*,)?memory(,[^:]*)?:/).test(line))?.split(':')[2];
  if (own === undefined) return undefined;
  const outer = join('/sys/fs/cgroup', v2 ? '' : 'memory', own, `dladmm-test-${process.pid}`);
  const inner = join(outer, 'inner');
  const end = (): void => {
    for (const folder of [inner, outer]) rmdirSync(folder);
  };
  try {
    mkdirSync(inner, { recursive: true });
    writeFileSync(join(outer, v2 ? 'memory.max' : 'memory.limit_in_bytes'), String(bytes));
    return { procs: join(inner, 'cgroup.procs'), end };
  } catch {
    return undefined;
  }
}

const GROUP = await limitedGroup(600 * 2 ** 20);

test.skipIf(GROUP === undefined)('the limit of a control group refuses a state that does not fit', async () => {
  const options = JSON.stringify({ solver: 'dladmm', layers: [60, 4000, 4000, 3], iterations: 1 });
  const outcome = await run('sh', [
    ...['-c', `echo $$ > "$0" && exec "$@"`, GROUP?.procs ?? ''],
    ...[process.execPath, '--input-type=module', '--eval', TRAINING, options],
  ]);
  GROUP?.end();
  expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining('DlAdmmError ERR_DLADMM_MEMORY') });
});
