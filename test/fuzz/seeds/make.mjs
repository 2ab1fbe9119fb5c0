// Makes the files of this folder anew: node test/fuzz/seeds/make.mjs. Small and valid, one of every kind that a reader knows;
// those in found/ were found by fuzzing and are kept as they are. Models and ONNX files are those of test/fixtures.
import { mkdirSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import * as arrow from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { encodeNpy } from '../../../dist/formats/npy.js';
import { encodeSafetensors } from '../../../dist/formats/safetensors.js';
import { zipOf } from '../mutate.mjs';
import { random } from '../random.mjs';

const keep = (folder, name, bytes) => {
  mkdirSync(new URL(folder, import.meta.url), { recursive: true });
  writeFileSync(new URL(`${folder}/${name}`, import.meta.url), bytes);
};
const floats = (count) => Float32Array.from({ length: count }, (_, i) => Math.sin(i));

const csv = {
  'header.csv': 'length,width,tree\n1.5,-2,oak\n1e3,0.25,elm\n7,,ash\n',
  'numbers.csv': '1,2,0\n4,5,1\n7,8,0\n',
  'semicolon.csv': 'a;b;c\n1,5;2;"x;y"\n3;4;"z ""q"""\n',
  'crlf.csv': '\ufeffx,y\r\n1,0\r\n2,1\r\n',
  'dates.csv': 'id,when,ok,label\n1,2024-01-02,true,-1\n2,2024-02-03T04:05:06Z,false,1\n3,,true,1\n',
  'tabs.tsv': 'a\tb\n1\t2\n',
};
for (const [name, text] of Object.entries(csv)) keep('csv', name, text);
keep('libsvm', 'classes.svm', '+1 1:0.5 7:1e-3 # one\n-1 2:-3\n\n+1\n');
keep('libsvm', 'values.svm', '0.25 qid:3 0:1 12:2.5\n-1.5e2 5:0\n');
keep('csv', 'latin1.csv', Buffer.from('größe,baum\n1,ä\n2,ö\n', 'latin1'));
keep('csv', 'utf16.csv', Buffer.from('\ufeffa,b\n1,2\n3,4\n', 'utf16le'));

const header = (descr, shape, order, bytes) => {
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`.padEnd(117);
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\0v\0', 'latin1'), Buffer.from(`${text}\n`), Buffer.alloc(bytes, 1)]);
};
const npy = {
  'float32.npy': encodeNpy({ data: floats(12), shape: [3, 4] }),
  'float64.npy': encodeNpy({ data: Float64Array.from(floats(6)), shape: [2, 3] }),
  'fortran.npy': header('<f4', '(2, 3)', 'True', 24),
  'big.npy': header('>i8', '(4,)', 'False', 32),
  'half.npy': header('<f2', '(2, 2)', 'False', 8),
  'bool.npy': header('|b1', '(5,)', 'False', 5),
  'empty.npy': header('<i4', '(0, 3)', 'False', 0),
};
for (const [name, bytes] of Object.entries(npy)) keep('npy', name, bytes);

const ints = (type, list) => ({ data: type.from(list), shape: [list.length] });
const graph = {
  adj_data: ints(Float32Array, new Array(6).fill(1)),
  adj_indices: ints(Int32Array, [1, 2, 3, 4, 5, 0]),
  adj_indptr: ints(Int32Array, [0, 1, 2, 3, 4, 5, 6]),
  adj_shape: ints(Int32Array, [6, 6]),
  attr_matrix: { data: floats(18), shape: [6, 3] },
  labels: ints(Int32Array, [0, 1, 2, 0, 1, -1]),
  train_idx: ints(Int32Array, [0, 1, 2]),
  test_idx: ints(Int32Array, [3, 4]),
};
const sparse = {
  ...graph,
  attr_data: ints(Float32Array, [1, 0.5, 2]),
  attr_indices: ints(Int32Array, [0, 2, 1]),
  attr_indptr: ints(Int32Array, [0, 1, 2, 3, 3, 3, 3]),
  attr_shape: ints(Int32Array, [6, 3]),
};
delete sparse.attr_matrix;
const archive = (arrays) =>
  zipOf(
    random('seeds'),
    Object.entries(arrays).map(([name, array]) => [`${name}.npy`, encodeNpy(array)]),
  );
keep('graph', 'dense.npz', archive(graph));
keep('graph', 'sparse.npz', archive(sparse));
const [x, y] = [{ data: floats(12), shape: [4, 3] }, ints(Int32Array, [0, 1, 1, 0])];
keep('npz', 'xy.npz', archive({ x, y }));
keep('npz', 'parts.npz', archive({ x_train: x, y_train: y, x_test: x, y_test: y }));

const idx = (type, shape, bytes) => {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.set([0, 0, type, shape.length]);
  for (const [i, extent] of shape.entries()) head.writeUInt32BE(extent, 4 + 4 * i);
  return Buffer.concat([head, Buffer.alloc(bytes, 1)]);
};
keep('idx', 'images.idx', idx(8, [3, 2, 2], 12));
keep('idx', 'labels.idx', idx(8, [5], 5));
keep('idx', 'floats.idx', idx(13, [2, 2], 16));
keep('idx', 'doubles.idx', idx(14, [2], 16));
keep('idx', 'shorts.idx', idx(11, [3], 6));

const columnData = [
  { name: 'a', data: [1.5, -2, 0.25, 8], type: 'FLOAT' },
  { name: 'n', data: [1n, 2n, 3n, 4n], type: 'INT64' },
  { name: 'ok', data: [true, false, false, true], type: 'BOOLEAN' },
  { name: 'kind', data: ['oak', 'elm', 'oak', 'ash'], type: 'STRING' },
];
keep('parquet', 'plain.parquet', new Uint8Array(parquetWriteBuffer({ columnData, codec: 'UNCOMPRESSED' })));
keep('parquet', 'groups.parquet', new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 1 })));
keep('parquet', 'snappy.parquet', new Uint8Array(parquetWriteBuffer({ columnData, codec: 'SNAPPY' })));

const table = new arrow.Table({
  a: arrow.makeVector(Float32Array.of(1.5, -2, 0.25, 8)),
  ok: arrow.vectorFromArray([true, false, false, true]),
  kind: arrow.vectorFromArray(['oak', 'elm', 'oak', 'ash']),
});
keep('arrow', 'file.arrow', arrow.tableToIPC(table, 'file'));
keep('arrow', 'stream.arrow', arrow.tableToIPC(table, 'stream'));

const tensor = (shape) => ({ dtype: 'F32', shape, data: floats(shape.reduce((a, b) => a * b)) });
const names = (one, two) => ({
  [`${one}.weight`]: tensor([4, 3]),
  [`${one}.bias`]: tensor([4]),
  [`${two}.weight`]: tensor([2, 4]),
  [`${two}.bias`]: tensor([2]),
});
for (const [file, tensors] of Object.entries({ sequential: names('0', '2'), named: names('fc1', 'fc2') })) {
  keep('state-dict', `${file}.safetensors`, encodeSafetensors(new Map(Object.entries(tensors)), { format: 'pt' }));
}
keep(
  'state-dict',
  'half.safetensors',
  encodeSafetensors(
    new Map([
      ['fc.weight', { dtype: 'F16', shape: [2, 3], data: new Uint16Array(6).fill(15360) }],
      ['fc.bias', { dtype: 'BF16', shape: [2], data: new Uint16Array(2).fill(16256) }],
    ]),
    {},
  ),
);

const tarred = (name, text) => {
  const head = Buffer.alloc(512);
  head.write(name);
  head.write('0000644\0', 100);
  head.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
  head.write('        ', 148);
  head.write(
    `${head
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return Buffer.concat([head, Buffer.from(text.padEnd(512, '\0'))]);
};
keep('tar', 'two.tar', Buffer.concat([tarred('./other', 'x'), tarred('member', '1,2,3\n'), Buffer.alloc(1024)]));
keep('gzip', 'numbers.csv.gz', gzipSync(csv['numbers.csv']));
keep('gzip', 'float32.npy.gz', gzipSync(npy['float32.npy']));
