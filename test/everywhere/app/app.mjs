// A program with a worker thread, as programs have them.
import { once } from 'node:events';
// biome-ignore lint/style/useNodejsImportProtocol: webpack 5.113 makes `new w.Worker__webpack_require__.wc` of node:worker_threads
import { Worker } from 'worker_threads';
import { drill, tell } from './drill.mjs';

const worker = new Worker(new URL('./worker.mjs', import.meta.url));
tell(Promise.all([drill(), once(worker, 'message')]).then(([result, [inWorker]]) => ({ ...result, inWorker })));
