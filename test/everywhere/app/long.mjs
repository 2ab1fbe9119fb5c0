// Trains for longer than any test waits; the first iteration is told, or ends the process.
import { parentPort } from 'node:worker_threads';
import { fit } from 'dladmm';
import { loadDataset } from 'dladmm/data';

const { train } = await loadDataset('digits');
const onIteration = () => (parentPort === null ? process.exit(7) : parentPort.postMessage('at work'));
await fit(train, { solver: 'dladmm', layers: [64, 100, 100, 10], iterations: 1e9, threads: 2, onIteration });
