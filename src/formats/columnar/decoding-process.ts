/** The program of a process that takes files apart; see apart.ts. */
import { DlAdmmError, messageOf } from '../../core/errors.js';
import { packageVersion } from '../../core/package.js';
import type { Reply, Request } from './apart.js';
import { type DecodedFile, loadDecoder, openDecoded } from './decoders.js';
import type { ColumnPart } from './file.js';

let bytes: Uint8Array = new Uint8Array(0);
let file: DecodedFile | undefined;
let parts: Iterator<ColumnPart> | undefined;

async function answer(request: Request): Promise<Reply> {
  switch (request.do) {
    case 'take':
      if (request.at === 0) bytes = new Uint8Array(request.length);
      bytes.set(request.bytes, request.at);
      return { is: 'done' };
    case 'open': {
      file = openDecoded(request.format, await loadDecoder(request.format, request.name), bytes, request.name);
      return { is: 'open', rows: file.rows, columns: file.columns };
    }
    case 'parts':
      parts = file?.parts(request.columns);
      return { is: 'done' };
    case 'next': {
      const next = parts?.next();
      return next === undefined || next.done ? { is: 'done' } : { is: 'part', part: next.value };
    }
    case 'close':
      bytes = new Uint8Array(0);
      file = undefined;
      parts = undefined;
      return { is: 'done' };
  }
}

const say = (reply: Reply): void => void process.send?.(reply);

process.on('message', (request: Request) => {
  answer(request).then(say, (error: unknown) => {
    const code = error instanceof DlAdmmError ? error.code : 'ERR_DLADMM_FORMAT';
    say({ is: 'error', code, message: messageOf(error) });
  });
});
// It ends with who asked for it, and not before: a terminal's signals go to both.
process.on('disconnect', () => process.exit());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
say({ is: 'ready', version: packageVersion() });
