// Ends a worker in the middle of its training, and trains on.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { tell, trained } from './drill.mjs';

const worker = new Worker(new URL('./long.mjs', import.meta.url));
await once(worker, 'message');
await worker.terminate();
tell(trained());
