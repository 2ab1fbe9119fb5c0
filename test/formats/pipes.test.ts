import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readTable } from '../../src/datasets/file.js';
import { fit } from '../../src/index.js';
import { packSamples } from '../../src/training/pack.js';
import { expectFailure, temporaryFolder } from './support.js';

const module = fileURLToPath(new URL('../../dist/data.js', import.meta.url));
const TEXT = 'a,b,label\n1,2,x\n3,4,y\n';
const ROWS = Array.from({ length: 40 }, (_, i) => ({ size: i % 7, kind: i % 7 < 3 ? 'small' : 'large' }));
const QUICK = { target: 'kind', layers: [1, 2], iterations: 1, threads: 1 } as const;
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

  it('of damaged gzip data is refused, and not waited for again', async () => {
    const path = await fifo();
    const refused = expectFailure(() => readTable(path), 'ERR_DLADMM_FORMAT', path, 'gzip');
    await Promise.all([refused, writeFile(path, gzipSync(TEXT).subarray(0, 20))]);
  });

  it('that nobody writes to is waited for until the signal is aborted', async () => {
    const path = await fifo();
    const signal = AbortSignal.timeout(50);
    await expectFailure(() => readTable(path, { signal }), 'ERR_DLADMM_ABORTED', path);
  });
});

describe('a FIFO whose writer waits is opened once, as a writer whose reader goes away loses what it writes:', () => {
  it.each<[string, (path: string) => Promise<number | undefined>]>([
    ['fit', async (path) => (await fit(path, QUICK)).report.heldOut?.of],
    ['predict', async (path) => (await (await fit(ROWS, QUICK)).model.predict(path)).outputs.rows],
    ['evaluate', async (path) => (await (await fit(ROWS, QUICK)).model.evaluate(path)).samples],
    ['packSamples', async (path) => (await packSamples(`${path}.samples`, path, { target: 'kind' })).rows],
    [
      'partialFit',
      async (path) => {
        const { model } = await fit(ROWS, QUICK);
        using learner = model.learner({ batchSize: 1 });
        return (await learner.partialFit(path)).steps;
      },
    ],
  ])('%s', async (_, rowsOf) => {
    const path = await fifo();
    const text = ['size,kind', ...ROWS.map(({ size, kind }) => `${size},${kind}`)].join('\n');
    const written = writeFile(path, `${text}\n`);
    await stat(path);
    const [rows] = await Promise.all([rowsOf(path), written]);
    expect(rows).toBe(ROWS.length);
  });
});

describe('the standard input', () => {
  it.each<[string, Uint8Array]>([
    ['plain', Buffer.from(TEXT)],
    ['gzipped', gzipSync(TEXT)],
  ])('is read as -, %s', async (_, bytes) => {
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

it('a folder is refused, a socket, what has no end, and an empty device', async () => {
  await expectFailure(async () => readTable(await temporaryFolder()), 'ERR_DLADMM_FILE', 'regular file');
  const socket = join(await temporaryFolder(), 'socket');
  const server = createServer().listen(socket);
  await once(server, 'listening');
  await expectFailure(() => readTable(socket), 'ERR_DLADMM_FILE', `a pipe or a terminal at ${socket}`);
  server.close();
  await expectFailure(() => readTable('/dev/zero'), 'ERR_DLADMM_FILE', '/dev/zero');
  const program = `import { readTable } from ${JSON.stringify(module)}; await readTable('-').catch((e) => console.log(e.code, e.message));`;
  for (const [odd, kind] of [
    ['/dev/zero', 'a device without an end'],
    ['/', 'a folder'],
  ]) {
    const command = ['-c', `"$0" --input-type=module -e "$1" < ${odd}`, process.execPath, program];
    const told = execFileSync('sh', command).toString();
    const where = 'Expected a regular file, a pipe or a terminal at the standard input';
    expect(told).toBe(`ERR_DLADMM_FILE ${where}, but it is ${kind}\n`);
  }
  await expectFailure(() => readTable('/dev/null'), 'ERR_DLADMM_FORMAT', 'empty');
});

it('a file of more bytes than there is memory is refused before it is read', async () => {
  const path = join(await temporaryFolder(), 'sparse.csv');
  await writeFile(path, '');
  await truncate(path, 2 ** 43);
  await expectFailure(() => readTable(path), 'ERR_DLADMM_MEMORY', path, String(2 ** 43));
});
