import { parentPort } from 'node:worker_threads';
import { trained } from './drill.mjs';

trained().then((result) => parentPort.postMessage(result));
