/** Parquet and Arrow files are taken apart by a process of their own; the same as in this thread, but for what does not come back. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { parseArrow, parseParquet } from '../../dist/data.js';
import { parseArrow as parseArrowHere } from '../../src/formats/arrow.js';
import { withColumnarFile } from '../../src/formats/columnar/apart.js';
import { parseParquet as parseParquetHere } from '../../src/formats/parquet.js';

const dist = new URL('../../dist/data.js', import.meta.url).href;
const file = (name: string): URL => new URL(`../fixtures/columnar/${name}`, import.meta.url);
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(file(name)));
const refusal = (work: Promise<unknown>): Promise<{ readonly code: string; readonly message: string }> =>
  work.then(
    () => Promise.reject(new Error('nothing was thrown')),
    (error: { readonly code: string; readonly message: string }) => error,
  );
/** The processes below this one that take files apart. */
const helpers = (parent = process.pid): readonly number[] =>
  execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(parent)], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => (line.includes('decoding-process') ? [Number.parseInt(line, 10)] : []));

describe('a process of its own gives what this thread gives', () => {
  it.each(['lz4-linked.arrow', 'zstd.arrow', 'pandas-lz4.feather'])('of %s', async (name) => {
    const read = await parseArrow(fixture(name), name);
    expect(read).toEqual(await parseArrowHere(fixture(name), name));
    if (name.startsWith('lz4')) expect(read.x.data.every((value, i) => value === (i % 1013) / 8)).toBe(true);
  });

  it('of Parquet, many at a time, and of what is refused', async () => {
    const columns = ['f', 'big', 'dec'].map((column) => ({ name: column }));
    const codecs = ['snappy', 'zstd', 'gzip', 'brotli', 'lz4_raw'];
    const all = codecs.flatMap((codec) => Array.from({ length: 4 }, () => fixture(`duckdb-${codec}.parquet`)));
    const want = await parseParquetHere(all[0] as Uint8Array, 't', { columns, target: 'kind' });
    const read = await Promise.all(all.map((bytes) => parseParquet(bytes, 't', { columns, target: 'kind' })));
    for (const table of read) expect(table).toEqual(want);
    const cut = fixture('duckdb-zstd.parquet').subarray(0, 900);
    const { code, message } = await refusal(parseParquet(cut, 't'));
    expect({ code, message }).toEqual({
      code: 'ERR_DLADMM_FORMAT',
      message: (await refusal(parseParquetHere(cut, 't'))).message,
    });
  });
});

describe('what does not come back', () => {
  it('is refused after a second, while the event loop turns', async () => {
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 5);
    const { code, message } = await refusal(parseParquet(fixture('endless.parquet'), 't'));
    clearInterval(turning);
    expect(code).toBe('ERR_DLADMM_FORMAT');
    expect(message).toMatch(/^t: damaged Parquet file, or one of another kind: it takes more than [\d.]+ s/);
    expect(turns).toBeGreaterThan(20);
    expect(
      (await parseParquet(fixture('duckdb-zstd.parquet'), 't', { target: 'kind', columns: [{ name: 'f' }] })).x.rows,
    ).toBe(40);
  });

  it('is refused in this thread too, where there is no process', async () => {
    const { code, message } = await refusal(parseParquetHere(fixture('endless.parquet'), 't'));
    expect({ code, message }).toMatchObject({
      code: 'ERR_DLADMM_FORMAT',
      message: expect.stringMatching(/more than [\d.]+ s/),
    });
  });

  it('is ended by a signal at once', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 300);
    const { code } = await refusal(parseParquet(fixture('endless.parquet'), 't', { signal: abort.signal }));
    expect(code).toBe('ERR_DLADMM_ABORTED');
  });

  it('is not waited for by who has been aborted meanwhile, though all processors are taken by others', async () => {
    const bytes = fixture('duckdb-snappy.parquet');
    const stop = new AbortController();
    let open = (_: string): void => undefined;
    const gate = new Promise<string>((resolve) => {
      open = resolve;
    });
    const waits = (signal?: AbortSignal) => withColumnarFile('Parquet', bytes, 't', signal, () => gate);
    const others = Array.from({ length: availableParallelism() }, () => waits());
    const aborted = refusal(waits(stop.signal));
    const behind = waits();
    stop.abort(new Error('enough'));
    expect(await aborted).toMatchObject({ code: 'ERR_DLADMM_ABORTED', cause: { message: 'enough' } });
    open('read');
    expect(new Set(await Promise.all([...others, behind, waits()]))).toEqual(new Set(['read']));
  });

  it('is told where the process is killed, as it is by a system without memory', async () => {
    await parseArrow(fixture('zstd.arrow'), 't');
    const [pid] = helpers();
    if (pid === undefined) return expect.unreachable();
    const work = refusal(parseParquet(fixture('endless.parquet'), 't'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.kill(pid, 'SIGKILL');
    expect(await work).toMatchObject({
      code: 'ERR_DLADMM_MEMORY',
      message: expect.stringMatching(/^t: the process that read it ended \(SIGKILL\): as a system ends/),
    });
  });
});

describe('the process', () => {
  const program = (then: string): string => `
    import { readFileSync } from 'node:fs';
    const { parseParquet } = await import(${JSON.stringify(dist)});
    const bytes = readFileSync(${JSON.stringify(fileURLToPath(file('duckdb-zstd.parquet')))});
    const read = () => parseParquet(bytes, 't', { target: 'kind', columns: [{ name: 'f' }] });
    ${then}`;
  const run = (text: string, flags: readonly string[] = []): string =>
    execFileSync(process.execPath, [...flags, '--input-type=module', '-e', text], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  it('does not keep a program alive, and is there in a worker thread', async () => {
    expect(run(program('console.log((await read()).x.rows);'))).toBe('40\n');
    const text = `import('node:worker_threads').then(async ({ parentPort }) => {${program('parentPort.postMessage((await read()).x.rows);').replace(/import \{ readFileSync \} from 'node:fs';/, "const { readFileSync } = await import('node:fs');")} })`;
    const worker = new Worker(text, { eval: true });
    expect(await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject))).toBe(40);
    await worker.terminate();
  });

  it('ends with a program that is killed', async () => {
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', program('for (;;) { await read(); console.log(1); }')],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const [pid] = helpers(child.pid);
    expect(pid).toBeGreaterThan(0);
    child.kill('SIGKILL');
    while (existsSync(`/proc/${pid}/fd/0`)) await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('is not needed: without the permission to start one, the work is done here', () => {
    const permission = process.allowedNodeEnvironmentFlags.has('--permission') ? '' : 'experimental-';
    const flags = [`--${permission}permission`, '--allow-fs-read=*'];
    const text = program("console.log(process.permission.has('child'), (await read()).x.rows);");
    expect(run(text, flags)).toBe('false 40\n');
  });
});
