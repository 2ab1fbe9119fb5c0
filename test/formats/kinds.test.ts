/** A file of another kind is told by its first bytes, to every reader, of data and of models alike. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import * as data from '../../src/data.js';
import { encodeNpy } from '../../src/formats/npy.js';
import * as graph from '../../src/graph.js';
import { fit, loadModel, readCheckpoint } from '../../src/index.js';
import * as onnx from '../../src/onnx.js';
import { expectFailure, temporaryFolder } from './support.js';

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const zip = (...names: readonly string[]): Uint8Array =>
  zipSync(Object.fromEntries(names.map((name) => [name, latin1('some content')])));

const FILES: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ['m.pt', zip('archive/data.pkl', 'archive/version'), /a PyTorch file.*safetensors\.torch\.save_file/],
  ['cut.pt', latin1('PK\x03\x04archive/data.pkl'), /a PyTorch file/],
  ['t.xlsx', zip('[Content_Types].xml', 'xl/workbook.xml'), /a spreadsheet.*as CSV/],
  ['t.ods', zip('mimetype', 'application/vnd.oasis.opendocument'), /OpenDocument.*as CSV/],
  ['t.zip', zip('table.csv'), /a zip archive.*unpack it/],
  ['m.keras', zip('config.json', 'model.weights.h5'), /a Keras file/],
  ['m.pkl', latin1('\x80\x04\x95\x10\0\0\0\0\0\0\0'), /a pickle.*numpy\.savez/],
  ['t.h5', latin1('\x89HDF\r\n\x1a\n\0\0\0\0'), /an HDF5 file.*numpy\.savez/],
  ['t.mat', latin1('MATLAB 5.0 MAT-file'), /a MATLAB file/],
  ['t.xls', latin1('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0'), /an old spreadsheet/],
  ['t.db', latin1('SQLite format 3\0'), /an SQLite database/],
  ['i.png', latin1('\x89PNG\r\n\x1a\n\0\0\0\rIHDR'), /a PNG image/],
  ['i.jpg', latin1('\xff\xd8\xff\xe0\0\x10JFIF'), /a JPEG image/],
  ['t.pdf', latin1('%PDF-1.7\n'), /a PDF/],
  ['t.zst', latin1('\x28\xb5\x2f\xfd\0\0\0'), /Zstandard data.*zstd -d/],
  ['t.bz2', latin1('BZh91AY&SY'), /bzip2/],
  ['t.xz', latin1('\xfd7zXZ\0\0'), /xz data/],
  ['t.json', latin1('[{"a": 1}]'), /JSON.*records/],
  ['t.html', latin1('<!DOCTYPE html><html></html>'), /a web page/],
  ['t.xml', latin1('<?xml version="1.0"?><table/>'), /XML/],
  ['t.sav', latin1('$FL2@(#) SPSS DATA FILE'), /an SPSS file/],
  ['t.dta', latin1('<stata_dta><header>'), /a Stata file/],
  ['t.sas7bdat', latin1(`${'\0'.repeat(12)}\xc2\xea\x81\x60\xb3\x14`), /a SAS file/],
  ['t.arff', latin1('% 1. Title\n%\n@RELATION iris\n'), /an ARFF file.*@data/],
  ['t.parquet', latin1('version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n'), /git lfs pull/],
];

const READERS = {
  ...{ readTable: data.readTable, readCsv: data.readCsv, readNpz: data.readNpz, readNpy: data.readNpy },
  ...{ readIdx: data.readIdx, readParquet: data.readParquet, readArrow: data.readArrow, readGraph: graph.readGraph },
  ...{ importOnnx: onnx.importOnnx, importStateDict: onnx.importStateDict, loadModel, readCheckpoint },
} as const;

describe.each(FILES)('%s is told as what it is', (name, bytes, message) => {
  it.each(Object.entries(READERS))('to %s', async (_, read) => {
    const path = join(await temporaryFolder(), name);
    await writeFile(path, bytes);
    const { message: said } = await expectFailure(() => read(path), 'ERR_DLADMM_FORMAT', message);
    expect(said.startsWith(`${path} is `)).toBe(true);
  });

  it('to those that take bytes', async () => {
    await expectFailure(() => data.parseCsv(bytes, 'here'), 'ERR_DLADMM_FORMAT', message, /^here is /);
    await expectFailure(() => onnx.importStateDict(bytes), 'ERR_DLADMM_FORMAT', message);
  });
});

describe('a file that another reader reads', () => {
  const npy = encodeNpy({ data: Float32Array.of(1), shape: [1] });
  it.each<[string, Uint8Array, (path: string) => Promise<unknown>, RegExp]>([
    ['NPZ to readCsv', zipSync({ 'x.npy': npy }), READERS.readCsv, /a NumPy archive.*readNpz/],
    ['NPY to loadModel', npy, READERS.loadModel, /a NumPy array.*readNpy/],
    ['gzip to loadModel', gzipSync('a'), READERS.loadModel, /gzip data/],
  ])('names it: %s', async (_, bytes, read, message) => {
    const path = join(await temporaryFolder(), 'file');
    await writeFile(path, bytes);
    await expectFailure(() => read(path), 'ERR_DLADMM_FORMAT', message);
  });

  it('of a kind that fit reads is told of what is wrong with it', async () => {
    const path = join(await temporaryFolder(), 'empty.arrow');
    const none = { a: Float32Array.of(), y: Float32Array.of() };
    await writeFile(path, tableToIPC(tableFromArrays(none), 'file'));
    await expectFailure(
      () => fit(path, { target: 'y' }),
      'ERR_DLADMM_FORMAT',
      /empty\.arrow: expected at least one row/,
    );
  });

  it('of its own kind is told of its own damage', async () => {
    const damaged = zipSync({ 'x.npy': npy.subarray(0, 100) });
    await expectFailure(() => data.parseNpz(damaged, 't.npz'), 'ERR_DLADMM_FORMAT', /^t\.npz, array "x": /);
    await expectFailure(
      () => data.parseCsv(latin1('a,b\n1,x\n2,3\n'), 't.csv'),
      'ERR_DLADMM_FORMAT',
      /^t\.csv, line 2/,
    );
  });
});
