import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { download } from '../../src/datasets/download.js';
import { expectFailure, temporaryFolder } from '../formats/support.js';

const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 3));
const sha256 = createHash('sha256').update(content).digest('hex');

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A server on this machine alone; its address. */
async function serve(answer: Answer): Promise<string> {
  const server = createServer((request, response) => answer(response, request));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
}

const whole: Answer = (response) => response.writeHead(200, { 'content-length': content.length }).end(content);

let folder: string;
let target: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  target = join(folder, 'deep', 'er', 'file.bin');
});

/** Everything in the target's folder: neither a half file nor a temporary one may be left. */
const left = () => readdir(join(folder, 'deep', 'er')).catch(() => []);

describe('download', () => {
  it('stores the right file under its name, and nothing else', async () => {
    await download(await serve(whole), target, sha256, { length: content.length });
    expect((await readFile(target)).equals(content)).toBe(true);
    expect(await left()).toEqual(['file.bin']);
  });

  it('takes an answer that does not tell its length', async () => {
    const url = await serve((response) => {
      response.write(content.subarray(0, 1000));
      response.end(content.subarray(1000));
    });
    await download(url, target, sha256);
    expect((await readFile(target)).equals(content)).toBe(true);
  });

  it('follows redirects', async () => {
    const url = await serve((response, request) => {
      if (request.url === '/file') response.writeHead(302, { location: '/moved' }).end();
      else whole(response, request);
    });
    await download(url, target, sha256);
    expect((await readFile(target)).equals(content)).toBe(true);
  });

  it('takes the place of an older file', async () => {
    await mkdir(join(folder, 'deep', 'er'), { recursive: true });
    await writeFile(target, 'old');
    await download(await serve(whole), target, sha256);
    expect((await readFile(target)).equals(content)).toBe(true);
  });
});

describe('download leaves nothing behind and says what came', () => {
  it('after a wrong checksum, and keeps an older file', async () => {
    await mkdir(join(folder, 'deep', 'er'), { recursive: true });
    await writeFile(target, 'old');
    const url = await serve(whole);
    const wrong = '0'.repeat(64);
    await expectFailure(() => download(url, target, wrong), 'ERR_DLADMM_DOWNLOAD', url, wrong, sha256);
    expect(await left()).toEqual(['file.bin']);
    expect(await readFile(target, 'utf8')).toBe('old');
  });

  it('after a cut connection', async () => {
    const url = await serve((response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 100_000), () => response.destroy());
    });
    await expectFailure(() => download(url, target, sha256), 'ERR_DLADMM_DOWNLOAD', url);
    expect(await left()).toEqual([]);
  });

  it('after a shorter or a longer answer than was expected', async () => {
    const url = await serve(whole);
    const { length } = content;
    for (const expectedLength of [length + 1, length - 1])
      await expectFailure(
        () => download(url, target, sha256, { length: expectedLength }),
        'ERR_DLADMM_DOWNLOAD',
        `expected ${expectedLength} bytes`,
      );
    expect(await left()).toEqual([]);
  });

  it('after an answer without end, cut off at the expected length', async () => {
    const url = await serve((response) => {
      const more = () => {
        while (!response.destroyed && response.write(content));
      };
      response.on('drain', more);
      more();
    });
    await expectFailure(() => download(url, target, sha256, { length: 1000 }), 'ERR_DLADMM_DOWNLOAD', 'more than that');
    expect(await left()).toEqual([]);
  });

  it('after an HTTP error, also behind a redirect', async () => {
    const missing = await serve((response) => response.writeHead(404).end('no such file'));
    await expectFailure(() => download(missing, target, sha256), 'ERR_DLADMM_DOWNLOAD', missing, 'HTTP 404');
    const moved = await serve((response) => response.writeHead(301, { location: missing }).end());
    await expectFailure(
      () => download(moved, target, sha256),
      'ERR_DLADMM_DOWNLOAD',
      moved,
      'HTTP 404',
      `from ${missing}`,
    );
    expect(await left()).toEqual([]);
  });

  it('after redirects without end', async () => {
    const url = await serve((response) => response.writeHead(302, { location: '/file' }).end());
    await expectFailure(() => download(url, target, sha256), 'ERR_DLADMM_DOWNLOAD', 'redirect');
  });

  it('where nobody listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const nobody = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await new Promise((resolve) => server.close(resolve));
    await expectFailure(() => download(nobody, target, sha256), 'ERR_DLADMM_DOWNLOAD', nobody, 'ECONNREFUSED');
    expect(await left()).toEqual([]);
  });

  it('when it is aborted while a slow server sends', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const url = await serve((response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000), () => controller.abort(reason));
    });
    const error = await expectFailure(
      () => download(url, target, sha256, { signal: controller.signal }),
      'ERR_DLADMM_ABORTED',
      url,
    );
    expect(error.cause).toBe(reason);
    expect(await left()).toEqual([]);
  });

  it('when it was aborted before', async () => {
    await expectFailure(
      () => download('http://127.0.0.1:1/', target, sha256, { signal: AbortSignal.abort() }),
      'ERR_DLADMM_ABORTED',
    );
  });

  it('when the server falls silent, before or amid the answer', async () => {
    const amid: Answer = (response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
    };
    for (const answer of [() => undefined, amid]) {
      const url = await serve(answer);
      await expectFailure(
        () => download(url, target, sha256, { timeout: 50 }),
        'ERR_DLADMM_DOWNLOAD',
        'not a byte came for 50 ms',
      );
    }
    expect(await left()).toEqual([]);
  });

  it('where the folder cannot be made', async () => {
    await writeFile(join(folder, 'deep'), 'a file');
    const url = await serve(whole);
    await expectFailure(() => download(url, target, sha256), 'ERR_DLADMM_FILE', target);
  });

  it('where the target is a folder', async () => {
    await mkdir(target, { recursive: true });
    const url = await serve(whole);
    await expectFailure(() => download(url, target, sha256), 'ERR_DLADMM_FILE', target);
    expect(await left()).toEqual(['file.bin']);
  });
});

describe('download refuses', () => {
  it.each(['ftp://example.org/x', 'file:///etc/passwd', 'nonsense', ''])('the address %j', async (url) => {
    await expectFailure(() => download(url, target, sha256), 'ERR_DLADMM_ARGUMENT', 'url');
  });

  it('a checksum that is none, and a timeout out of range', async () => {
    const url = 'http://127.0.0.1:1/';
    await expectFailure(() => download(url, target, 'abc'), 'ERR_DLADMM_ARGUMENT', 'sha256');
    for (const timeout of [0, -1, Number.NaN, 2 ** 31])
      await expectFailure(() => download(url, target, sha256, { timeout }), 'ERR_DLADMM_RANGE', 'timeout');
  });
});
