// What release:check runs on each platform. No process of its own is started: an emulator runs one alone.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { info } from 'dladmm';
import { aborted, tell, trained } from './drill.mjs';

const worker = new Worker(new URL('./worker.mjs', import.meta.url));
tell(
  Promise.all([trained(), aborted(), once(worker, 'message')]).then(([result, ended, [inWorker]]) => ({
    ...result,
    aborted: ended,
    inWorker,
    info: info(),
    runs: `${process.platform}-${process.arch}`,
  })),
);
