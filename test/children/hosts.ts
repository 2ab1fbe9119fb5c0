/** Two hosts of one machine: network namespaces with a cable between them, where this process may make such. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Outcome, run } from './run.js';

const ADDRESSES = ['10.77.0.1', '10.77.0.2'] as const;

const ip = (...words: readonly string[]): boolean => spawnSync('ip', words, { stdio: 'ignore' }).status === 0;

const nameOf = (host: number): string => `dladmm-${process.pid}-${host}`;

/** Makes both, and answers with whether it could. */
function connect(): boolean {
  const [one, two] = [nameOf(0), nameOf(1)];
  const [from, to] = [`dl${process.pid}a`, `dl${process.pid}b`];
  return (
    ip('netns', 'add', one) &&
    ip('netns', 'add', two) &&
    ip('link', 'add', from, 'netns', one, 'type', 'veth', 'peer', 'name', to, 'netns', two) &&
    [from, to].every((end, host) => {
      const own = ['-n', nameOf(host)];
      return (
        ip(...own, 'addr', 'add', `${ADDRESSES[host]}/24`, 'dev', end) &&
        ip(...own, 'link', 'set', end, 'up') &&
        ip(...own, 'link', 'set', 'lo', 'up')
      );
    })
  );
}

function disconnect(): void {
  for (const host of [0, 1]) ip('netns', 'del', nameOf(host));
}

/** Whether two hosts can be made here. */
export const HOSTS = ((): boolean => {
  const could = connect();
  disconnect();
  return could;
})();

/** Runs a command by one process on each of two hosts, which a launch agent reaches as ssh would. */
export async function launchOnTwoHosts(...command: readonly string[]): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'dladmm-hosts-'));
  const agent = join(folder, 'agent');
  writeFileSync(
    agent,
    `#!/bin/sh
host=$1; shift
case $host in ${ADDRESSES[0]}) name=${nameOf(0)};; *) name=${nameOf(1)};; esac
exec ip netns exec $name unshare -u sh -c "hostname $name; $*"
`,
  );
  chmodSync(agent, 0o755);
  onTestFinished(() => {
    disconnect();
    rmSync(folder, { recursive: true, force: true });
  });
  if (!connect()) throw new Error('the hosts could not be connected');
  const network = '10.77.0.0/24';
  const own = ['--allow-run-as-root', '-n', '2', '-H', ADDRESSES.join(','), '--mca', 'plm_rsh_agent', agent];
  const through = ['--mca', 'btl_tcp_if_include', network, '--mca', 'oob_tcp_if_include', network];
  const words = ['mpirun', ...own, ...through, '--mca', 'mpi_yield_when_idle', '1', ...command];
  // A shell reads what the agent is given.
  return run(agent, [ADDRESSES[0], ...words.map((word) => `'${word}'`)]);
}
