// Solvers of each kind, a refusal, a loop that is left, a checkpoint, a model's file, a table, a report.
import { rmSync, writeFileSync } from 'node:fs';
import { DlAdmmError, fit, loadModel, resume, train } from 'dladmm';
import { loadDataset, readCsv } from 'dladmm/data';
import { report } from 'dladmm/report';
import { tell } from './drill.mjs';

const FILES = { checkpoint: 'c.checkpoint', model: 'm.safetensors', table: 't.csv' };
const LAYERS = { layers: [64, 20, 10], threads: 2 };
const DLADMM = { ...LAYERS, solver: 'dladmm', iterations: 4 };

async function work() {
  const { train: rows, test } = await loadDataset('digits');
  const predicted = async (model) => (await model.predict(test.x)).labels.length;
  const ways = ['dladmm', 'inversion-admm', 'adam', 'badm', 'minibatch-admm'].map((solver, i) =>
    i < 2 ? { solver, iterations: 3 } : { solver, epochs: 2 },
  );
  const solvers = await Promise.all(ways.map(async (way) => predicted((await fit(rows, { ...LAYERS, ...way })).model)));
  const refused = await fit(rows, { layers: [64, 'ten'] }).catch((error) => error instanceof DlAdmmError && error.code);
  let record;
  for await (record of train(rows, DLADMM)) if (record.iteration === 2) break;
  const checkpoint = { path: FILES.checkpoint, every: 2 };
  const result = await fit(rows, { ...DLADMM, checkpoint });
  const resumed = (await resume(FILES.checkpoint, rows, { iterations: 6 })).status.kind;
  await result.model.save(FILES.model);
  const loaded = await predicted(await loadModel(FILES.model));
  writeFileSync(FILES.table, 'a,b,label\n1,2,x\n3,4,y\n');
  const table = (await readCsv(FILES.table)).x.rows;
  const page = (await report(result)).length > 1000;
  for (const file of Object.values(FILES)) rmSync(file);
  return { solvers, refused, left: record.iteration, resumed, loaded, table, page };
}

tell(work());
