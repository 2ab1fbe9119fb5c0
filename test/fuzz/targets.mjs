/** Every reader of the package with its seeds, how mutants are made of them, and how one is read. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { native } from '../../dist/core/native.js';
import * as data from '../../dist/data.js';
import { parseFrame } from '../../dist/datasets/frame-file.js';
import { readBytes } from '../../dist/formats/bytes.js';
import { openHere } from '../../dist/formats/columnar/apart.js';
import { frameFrom, readColumnar } from '../../dist/formats/columnar/file.js';
import { reader } from '../../dist/formats/reader.js';
import { decodeSafetensors, encodeSafetensors } from '../../dist/formats/safetensors.js';
import { tarMember } from '../../dist/formats/tar.js';
import { unzipEntry, zipEntries } from '../../dist/formats/zip.js';
import { parseGraph } from '../../dist/graph.js';
import { fit as fitModel, loadLearner, loadModel, readCheckpoint, resumeTraining } from '../../dist/index.js';
import { importOnnx, importStateDict } from '../../dist/onnx.js';
import { encoded } from '../../dist/samples/encoded.js';
import { learnColumns } from '../../dist/samples/learning.js';
import { StoredSet } from '../../dist/samples/stored.js';
import { inferTask, targetValues } from '../../dist/samples/targets.js';
import * as fixture from '../fixtures/before-rooms/data.mjs';
import { misstatements, mutated, tampered, zipOf } from './mutate.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'dladmm-fuzz-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const filesIn = (folder, pattern = /./) =>
  readdirSync(here(folder))
    .filter((name) => pattern.test(name))
    .map((name) => new Uint8Array(readFileSync(join(here(folder), name))));
const seedsOf = (...kinds) =>
  kinds.flatMap((kind) => [...filesIn(`seeds/${kind}`), ...filesIn('seeds/found', new RegExp(`^${kind}`))]);
const fixtures = (pattern) => filesIn('../fixtures/before-rooms', pattern);

/** A reader of paths, given bytes. */
const viaFile = (read) => (bytes, r) => {
  const path = join(scratch, 'mutant');
  writeFileSync(path, bytes);
  return read(path, r);
};

const HEAD = '{"__metadata__":{"checksum":"';
const ZEROS = '0'.repeat(16);

const hashOf = (...parts) => {
  const hash = new native.Hash64();
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** A checkpoint of this header, whose checksum is put right, and these values. */
function checkpointFile(header, values) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const head = Buffer.from(HEAD + hashOf(length, Buffer.from(HEAD + ZEROS), header.subarray(HEAD.length + 16)));
  return new Uint8Array(Buffer.concat([length, head, header.subarray(head.length), values]));
}

function partsOf(checkpoint) {
  const file = Buffer.from(checkpoint);
  const end = 8 + Number(file.readBigUInt64LE());
  return [file.subarray(8, end), file.subarray(end)];
}

/** A checkpoint that says this, its checksum right. */
function checkpointThatSays({ __metadata__: metadata, ...tensors }, values) {
  const { checksum: _, ...rest } = typeof metadata === 'object' && metadata !== null ? metadata : {};
  const text = JSON.stringify({ __metadata__: { checksum: ZEROS, ...rest }, ...tensors });
  return checkpointFile(Buffer.from(text.padEnd(Math.ceil(Buffer.byteLength(text) / 8) * 8)), values);
}

/** Changes what the blocks of a store have; answers with the directory that has their checksums. */
function otherBlocks(r, file, said) {
  const blocks = said.blocks.map(([at, length]) => {
    for (let i = 0; i <= r.below(9); i += 1)
      file[at + r.below(length)] = r.pick([0, 1, 127, 128, 192, 255, r.below(256)]);
    return [at, length, hashOf(file.subarray(at, at + length))];
  });
  return Buffer.from(JSON.stringify({ ...said, blocks }));
}

/** A store that is damaged, or one whose directory was changed and its checksum put right. */
function storeOf(r, seeds) {
  if (r.chance(0.3)) return mutated(r, seeds);
  const file = Buffer.from(r.pick(seeds));
  const begin = Number(file.readBigUInt64LE());
  const said = JSON.parse(file.subarray(begin));
  const directory = r.chance(0.3)
    ? otherBlocks(r, file, said)
    : r.chance(0.5)
      ? Buffer.from(JSON.stringify(r.pick([...misstatements(said)])))
      : Buffer.from(mutated(r, [new Uint8Array(file.subarray(begin))]));
  const head = Buffer.from(file.subarray(0, 24));
  return new Uint8Array(
    Buffer.concat([head, Buffer.from(hashOf(head.subarray(0, 8), directory)), file.subarray(40, begin), directory]),
  );
}

/** Checkpoints that say something else of their training, one member after the other. */
export function* misstatedCheckpoints(seed) {
  const [header, values] = partsOf(seed);
  const said = JSON.parse(header.toString());
  const { training } = said.__metadata__;
  for (const other of misstatements(training)) {
    yield [other, checkpointThatSays({ ...said, __metadata__: { ...said.__metadata__, training: other } }, values)];
  }
}

/** Models that say something else of their network. */
export function* misstatedModels(seed) {
  const { tensors, metadata } = decodeSafetensors(seed, 'seed');
  for (const network of misstatements(metadata.network)) {
    yield [network, encodeSafetensors(tensors, { ...metadata, network })];
  }
}

/** A checkpoint whose checksums are right all the same: of other values, of another training, or of another header. */
function checkpointOf(r, seeds) {
  const how = r.below(20);
  if (how === 0) return mutated(r, seeds);
  const [header, values] = partsOf(r.pick(seeds));
  const from = HEAD.length + 16;
  if (how === 1)
    return checkpointFile(Buffer.concat([header.subarray(0, from), mutated(r, [header.subarray(from)])]), values);
  let said = JSON.parse(header.toString());
  if (how < 4) said = tampered(r, said) ?? {};
  else if (how < 16)
    for (let edits = 1 + r.below(2); edits > 0; edits--)
      said.__metadata__.training = tampered(r, said.__metadata__.training);
  if (how > 12) {
    for (let edits = 1 + r.below(3); edits > 0; edits--) {
      const at = r.below(values.length);
      values.set(mutated(r, [values.subarray(at, at + 16)]).subarray(0, Math.min(16, values.length - at)), at);
    }
    const { __metadata__: metadata, ...tensors } = said;
    metadata.sections = Object.values(tensors)
      .map(({ data_offsets: span }) => hashOf(values.subarray(...span)))
      .join('');
  }
  return checkpointThatSays(said, values);
}

/** Values and metadata of safetensors changed, the checksums right again. */
function tensorsOf(r, seeds) {
  const seed = r.pick(seeds);
  if (r.chance(0.3)) return mutated(r, seeds);
  const { tensors, metadata } = decodeSafetensors(seed, 'seed');
  const list = [...tensors];
  if (r.chance(0.3)) list.splice(r.below(list.length), 1);
  if (r.chance(0.2)) list.push([r.pick(['zz', '9.weight', '0.bias']), r.pick([...tensors.values()])]);
  if (r.chance(0.2)) r.pick(list)?.[1].data.fill(0, 1 + r.below(3), 2);
  if (r.chance(0.2)) list.reverse();
  const texts = Object.entries(metadata).map(([key, text]) => [key, r.chance(0.6) ? String(tampered(r, text)) : text]);
  if (r.chance(0.1)) texts.push([r.pick(['note.x', 'foreign', '__proto__x']), 'x']);
  try {
    return encodeSafetensors(new Map(list), Object.fromEntries(texts));
  } catch {
    return mutated(r, seeds);
  }
}

/** An archive whose directory is right and some of whose members are not. */
const archiveOf = (names) => (r, seeds) => {
  if (r.chance(0.4)) return mutated(r, seeds);
  const npy = seedsOf('npy');
  return zipOf(
    r,
    names(r).map((name) => [`${name}.npy`, r.chance(0.5) ? mutated(r, npy) : r.pick(npy)]),
  );
};

/** Some of the members of a good graph, mutated. */
function graphOf(members) {
  return async (r, seeds) => {
    if (r.chance(0.3)) return mutated(r, seeds);
    const kept = r.pick(members);
    const files = kept.map(([name, bytes]) => [name, r.chance(0.2) ? mutated(r, [bytes, r.pick(kept)[1]]) : bytes]);
    return zipOf(r, r.chance(0.1) ? files.slice(1) : files);
  };
}
const membersOf = (archive) =>
  Promise.all(
    zipEntries(archive, 'seed').map(async (entry) => [
      entry.name,
      new Uint8Array(await unzipEntry(archive, entry, 'seed')),
    ]),
  );

const { y: _, ...labelled } = fixture.samples();
const watched = { ...labelled, validation: labelled };
const common = { layers: [4, 5, 3], threads: 1 };
const TRAININGS = [
  [labelled, { ...common, iterations: 2 }],
  [labelled, { ...common, iterations: 2, schedule: 'paper', standardise: true }],
  [watched, { ...common, solver: 'minibatch-admm', epochs: 2, batchSize: 8, earlyStopping: { patience: 2 } }],
  [labelled, { ...common, solver: 'adam', epochs: 2, batchSize: 8 }],
  [labelled, { ...common, solver: 'badm', epochs: 2, batchSize: 8 }],
  [labelled, { ...common, solver: 'sigmoid-admm', activation: 'sigmoid', iterations: 2 }],
];

/** Checkpoints of trainings of every kind, and the models that they end in. */
async function trained() {
  const made = [];
  for (const [i, [set, options]] of TRAININGS.entries()) {
    const path = join(scratch, `${i}`);
    const { model } = await fitModel(set, { ...options, checkpoint: { path, every: 1 } });
    await model.save(`${path}.model`);
    model.close();
    made.push({
      set,
      checkpoint: new Uint8Array(readFileSync(path)),
      model: new Uint8Array(readFileSync(`${path}.model`)),
    });
  }
  return made;
}

const TABLE_OPTIONS = [
  {},
  {},
  { target: null },
  { target: 0 },
  { header: false },
  { task: 'regression' },
  { task: 'classification' },
];
const tableOptions = (r) => ({ ...r.pick(TABLE_OPTIONS), ...(r.chance(0.3) && { texts: 'one-hot' }) });
const csvOptions = (r) => ({ ...tableOptions(r), ...(r.chance(0.2) && { delimiter: r.pick([';', '\t', '||']) }) });
const loss = 'softmax-cross-entropy';

/**
 * Of a hundred files that are stored by column one goes the whole way, through a process of its own; the others are decoded here,
 * where one that would be ended after a second is ended after a twentieth of that.
 */
const decoded = (format, parse) => {
  const parseHere = reader(async (bytes, name, options, asFrame) => {
    const file = await openHere(format, bytes, name, 50);
    return asFrame ? frameFrom(file, name, options) : readColumnar(file, name, options);
  });
  return (bytes, r) => (r.chance(0.01) ? parse : parseHere)(bytes, 'mutant', tableOptions(r), r.chance(0.5));
};

/** A table as `fit` takes it: columns as they are, a target, and what is to be learnt of the others. */
const learnt = reader(async (bytes, r) => {
  const frame = await parseFrame(bytes, 'm.csv', r.chance(0.2) ? { header: r.chance(0.5) } : {});
  const target = r.pick(frame.columns).name;
  const values = await targetValues(frame, target);
  inferTask(values, target);
  const missing = r.pick(['impute', 'impute', 'error']);
  const { columns } = await learnColumns(frame, { target, missing, categories: r.pick([2, 100]) });
  return encoded(frame, columns);
});

/** name → { seeds, mutant(random, seeds), read(bytes, random) }, made when it is asked for. */
export const TARGETS = {
  csv: () => ({ seeds: seedsOf('csv'), read: (bytes, r) => data.parseCsv(bytes, 'm.csv', csvOptions(r)) }),
  npy: () => ({ seeds: seedsOf('npy'), read: (bytes) => data.parseNpy(bytes, 'm.npy') }),
  npz: () => ({
    seeds: seedsOf('npz'),
    mutant: archiveOf((r) => r.pick([['x', 'y'], ['x'], ['x', 'x']])),
    read: (bytes) => data.parseNpz(bytes, 'm.npz'),
  }),
  zip: () => ({
    seeds: seedsOf('npz', 'graph'),
    async read(bytes) {
      for (const entry of zipEntries(bytes, 'm.zip')) await unzipEntry(bytes, entry, 'm.zip');
    },
  }),
  libsvm: () => ({
    seeds: seedsOf('libsvm'),
    read: (bytes, r) => data.parseLibsvm(bytes, 'm.svm', r.chance(0.3) ? { zeroBased: r.chance(0.5) } : {}),
  }),
  sparse: async () => {
    const seeds = filesIn('../fixtures/sparse');
    return {
      seeds,
      mutant: graphOf(await Promise.all(seeds.map(membersOf))),
      read: (bytes) => data.parseSparse(bytes, 'm.npz'),
    };
  },
  idx: () => ({ seeds: seedsOf('idx'), read: (bytes) => data.parseIdx(bytes, 'm.idx') }),
  tar: () => ({ seeds: seedsOf('tar'), read: (bytes) => tarMember(bytes, 'member', 'm.tar') }),
  gzip: () => ({ seeds: seedsOf('gzip'), read: viaFile((path) => readBytes(path)) }),
  frame: () => ({ seeds: seedsOf('csv'), read: learnt }),
  parquet: () => ({ seeds: seedsOf('parquet'), read: decoded('Parquet', data.parseParquet) }),
  arrow: () => ({ seeds: seedsOf('arrow'), read: decoded('Arrow', data.parseArrow) }),
  table: () => ({
    seeds: seedsOf('csv', 'npy', 'npz', 'idx', 'gzip'),
    mutant: (r, seeds) => (r.chance(0.2) ? new Uint8Array(gzipSync(mutated(r, seeds))) : mutated(r, seeds)),
    read: viaFile((path, r) => data.readTable(path, tableOptions(r))),
  }),
  samples: async () => {
    const seeds = [];
    const table = Array.from({ length: 60 }, (_, i) => ({
      ...{
        size: i % 7 ? Math.sin(i) : null,
        kind: 'abc'[i % 3],
        word: `w${i}`,
        day: new Date(1e12 + 9e8 * i),
        flag: i % 2 > 0,
      },
      ...{ weight: 1 + i, y: i % 5 ? 'p' : 'q' },
    }));
    for (const [rows, options] of [
      [labelled, {}],
      [labelled, { precision: 'float16' }],
      [labelled, { weights: labelled.labels.map((label) => 1 + label) }],
      [
        table,
        { target: 'y', weights: 'weight', columns: ['size', 'kind', 'word', 'day', 'flag'], categories: 9, buckets: 5 },
      ],
    ]) {
      const path = join(scratch, `store${seeds.length}`);
      await data.packSamples(path, rows, options);
      seeds.push(new Uint8Array(readFileSync(path)));
    }
    return {
      seeds,
      mutant: storeOf,
      read: viaFile(async (path) => {
        const store = await data.openSamples(path);
        try {
          await new StoredSet(store).gathered(true);
        } finally {
          store.close();
        }
      }),
    };
  },
  safetensors: () => ({ seeds: fixtures(/safetensors$/), read: (bytes) => decodeSafetensors(bytes, 'm.safetensors') }),
  'state-dict': () => ({
    seeds: seedsOf('state-dict'),
    mutant: tensorsOf,
    read: (bytes) => importStateDict(bytes, { loss }),
  }),
  onnx: () => ({ seeds: [...fixtures(/onnx$/), ...seedsOf('onnx')], read: (bytes) => importOnnx(bytes, { loss }) }),
  graph: async () => {
    const seeds = seedsOf('graph');
    return {
      seeds,
      mutant: graphOf(await Promise.all(seeds.map(membersOf))),
      read: (bytes) => parseGraph(bytes, 'm.npz'),
    };
  },
  model: async () => ({
    seeds: [...fixtures(/safetensors$/), ...(await trained()).map(({ model }) => model)],
    mutant: tensorsOf,
    read: viaFile(loadModel),
  }),
  checkpoint: async () => ({
    seeds: [...fixtures(/checkpoint$/), ...(await trained()).map(({ checkpoint }) => checkpoint)],
    mutant: checkpointOf,
    read: viaFile(readCheckpoint),
  }),
  learner: async () => {
    const { model } = await fitModel(labelled, { ...common, solver: 'adam', epochs: 1 });
    const seeds = [];
    for (const solver of ['adam', 'minibatch-admm', 'badm']) {
      const learner = model.learner({ solver, batchSize: 8 });
      await learner.partialFit(labelled);
      const path = join(scratch, solver);
      await learner.save(path);
      learner.close();
      seeds.push(new Uint8Array(readFileSync(path)));
    }
    return { seeds, mutant: checkpointOf, read: viaFile((path) => loadLearner(path)) };
  },
  resume: async () => {
    const made = await trained();
    return {
      seeds: made.map(({ checkpoint }) => checkpoint),
      mutant: checkpointOf,
      read: viaFile(async (path, r) => {
        const options = { ...(r.chance(0.7) && { inexact: true }), checkpoint: undefined };
        const training = await resumeTraining(path, r.chance(0.5) ? labelled : watched, options);
        let records = 0;
        for await (const _ of training) if (++records === 2) break;
        return training.result.model;
      }),
    };
  },
};

/** What is to be found: the fuzzer is tested by it. */
const planted = {
  error: () => undefined.length,
  hang() {
    for (;;);
  },
  memory: () => Array.from({ length: 30 }, () => Buffer.alloc(2 ** 26, 1)).concat(planted.hang()),
  crash: () => process.abort(),
};
for (const [what, go] of Object.entries(planted)) {
  TARGETS[`planted-${what}`] = () => {
    let left = 50;
    return { seeds: [Buffer.from('any')], read: () => (left-- === 0 ? go() : undefined) };
  };
}
