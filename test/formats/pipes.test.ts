import { execFileSync, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readTable } from '../../src/datasets/file.js';
import { expectFailure, temporaryFolder } from './support.js';

const TEXT = 'a,b,label\n1,2,x\n3,4,y\n';
const WANT = { columns: [{ name: 'a' }, { name: 'b' }], classes: ['x', 'y'], train: { x: { rows: 2 } } };

async function fifo(): Promise<string> {
  const path = join(await temporaryFolder(), 'pipe');
  execFileSync('mkfifo', [path]);
  return path;
}

describe('a FIFO', () => {
  it.each<[string, Uint8Array]>([
    ['plain', Buffer.from(TEXT)],
    ['gzipped', gzipSync(TEXT)],
  ])('is read to its end, %s', async (_, bytes) => {
    const path = await fifo();
    const [table] = await Promise.all([readTable(path), writeFile(path, bytes)]);
    expect(table).toMatchObject(WANT);
  });

  it('that nobody writes to is waited for until the signal is aborted', async () => {
    const path = await fifo();
    const signal = AbortSignal.timeout(50);
    await expectFailure(() => readTable(path, { signal }), 'ERR_DLADMM_ABORTED', path);
  });
});

describe('the standard input', () => {
  it.each<[string, Uint8Array]>([
    ['plain', Buffer.from(TEXT)],
    ['gzipped', gzipSync(TEXT)],
  ])('is read as -, %s', async (_, bytes) => {
    const module = fileURLToPath(new URL('../../dist/data.js', import.meta.url));
    const program = `import { readTable } from ${JSON.stringify(module)};
      const { columns, classes, train, name } = await readTable('-');
      console.log(JSON.stringify({ columns, classes, train: { x: { rows: train.x.rows } }, name }));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.end(bytes);
    const parts: Buffer[] = [];
    for await (const part of child.stdout) parts.push(part as Buffer);
    expect(JSON.parse(Buffer.concat(parts).toString())).toEqual({ ...WANT, name: 'the standard input' });
  });
});

it('a folder is refused, and an empty device', async () => {
  await expectFailure(async () => readTable(await temporaryFolder()), 'ERR_DLADMM_FILE', 'regular file');
  await expectFailure(() => readTable('/dev/null'), 'ERR_DLADMM_FORMAT', 'empty');
});
