import { type DatasetListing, listDatasets } from '../../datasets/datasets.js';
import { type GraphListing, listGraphs } from '../../datasets/graphs.js';
import type { Terminal } from '../terminal.js';

export interface DatasetsFlags {
  readonly dataDir?: string;
  readonly json?: boolean;
}

const count = (n: number): string => n.toLocaleString('en-US');

function whereabouts({ name, folder, origin, downloadable }: DatasetListing): string {
  if (origin === 'bundled') return 'comes with the package';
  if (folder !== undefined) return `found in ${folder} (${origin})`;
  const debian = name === 'fashion-mnist' ? ' (on Debian and Ubuntu also: apt-get install dataset-fashion-mnist)' : '';
  return downloadable
    ? `not here yet: fetched by dladmm train --data ${name}${debian}`
    : 'not here; --data-dir says where it is';
}

function describe(set: DatasetListing): string {
  const outputs = `${set.outputs} ${set.task === 'regression' ? 'target' : 'classe'}${set.outputs === 1 ? '' : 's'}`;
  return [
    `${set.name}: ${set.title}`,
    `  ${set.task}, ${count(set.train)} samples to train and ${count(set.test)} to test, ${set.features} features, ${outputs}`,
    `  ${whereabouts(set)}`,
  ].join('\n');
}

function describeGraph({ name, title, nodes, edges, features, classes, folder, origin }: GraphListing): string {
  return [
    `${name}: ${title}`,
    `  graph, ${count(nodes)} nodes and ${count(edges)} edges, ${features} features, ${classes} classes; train --graph ${name}`,
    folder === undefined
      ? `  not here; --data-dir says where graphs/${name}.npz is`
      : `  found in ${folder} (${origin})`,
  ].join('\n');
}

export async function datasetsCommand({ dataDir, json }: DatasetsFlags, terminal: Terminal): Promise<number> {
  const where = dataDir === undefined ? {} : { dataDir };
  const sets = await listDatasets(where);
  const graphs = await listGraphs(where);
  const plain = [...sets, ...graphs.map((graph) => ({ ...graph, task: 'graph', downloadable: false }))].map((set) => ({
    ...set,
    folder: set.folder ?? null,
    origin: set.origin ?? null,
  }));
  const texts = [...sets.map(describe), ...graphs.map(describeGraph)];
  await terminal.out(json ? `${JSON.stringify(plain)}\n` : `${texts.join('\n\n')}\n`);
  return 0;
}
