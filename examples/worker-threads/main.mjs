// npm install dladmm
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { fit } from 'dladmm';
import { loadDataset } from 'dladmm/data';

// All trainings of the process share one pool of threads, whichever worker they are started in.
if (isMainThread) {
  const trained = (seed) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: seed });
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const found = await Promise.all([1, 2, 3].map(trained));
  console.table(found);
} else {
  const { train, test } = await loadDataset('digits');
  const { model } = await fit(train, { layers: [64, 100, 10], solver: 'minibatch-admm', seed: workerData });
  const { accuracy } = await model.evaluate(test);
  parentPort.postMessage({ seed: workerData, accuracy });
}
