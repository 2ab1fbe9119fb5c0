import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** The newest PostgreSQL server that the system has: on the path, or where Debian puts it. */
function binaries(): string | undefined {
  const folders = [
    ...(process.env.PATH ?? '').split(':'),
    ...(existsSync('/usr/lib/postgresql')
      ? readdirSync('/usr/lib/postgresql')
          .sort((a, b) => Number(b) - Number(a))
          .map((version) => `/usr/lib/postgresql/${version}/bin`)
      : []),
  ];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_ctl')));
}

export interface Postgres {
  readonly connectionString: string;
  stop(): void;
}

/** A server of its own in a folder of its own, on a socket alone; undefined where the system has no PostgreSQL. */
export function startPostgres(): Postgres | undefined {
  const bin = binaries();
  if (bin === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'dladmm-pg-'));
  // The server refuses to run as root: Debian's package brings a user for it.
  const root = userInfo().uid === 0;
  const as = (program: string, args: readonly string[]): string => {
    const command = join(bin, program);
    return root
      ? execFileSync('runuser', ['-u', 'postgres', '--', command, ...args], { cwd: folder, encoding: 'utf8' })
      : execFileSync(command, args, { cwd: folder, encoding: 'utf8' });
  };
  if (root) {
    const id = (what: string): number => Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8' }));
    chownSync(folder, id('-u'), id('-g'));
  }
  chmodSync(folder, 0o755);
  const data = join(folder, 'data');
  as('initdb', ['-D', data, '-A', 'trust', '-U', 'dladmm', '-N', '-E', 'UTF8', '--locale=C']);
  as('pg_ctl', ['-D', data, '-w', '-l', join(folder, 'log'), '-o', `-k ${folder} -c listen_addresses='' -F`, 'start']);
  return {
    connectionString: `postgresql://dladmm@/postgres?host=${encodeURIComponent(folder)}`,
    stop() {
      as('pg_ctl', ['-D', data, '-m', 'immediate', 'stop']);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
