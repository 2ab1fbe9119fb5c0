/** What a file is by its first bytes, for those who have been given another than they can read. */
import { constants, open, stat } from 'node:fs/promises';

/** Kinds that some of the readers read. */
export type Own =
  | 'npz'
  | 'zip'
  | 'gzip'
  | 'npy'
  | 'parquet'
  | 'arrow'
  | 'safetensors'
  | 'onnx'
  | 'tar'
  | 'samples'
  | 'text';

interface Kind {
  readonly own?: Own;
  /** What such a file is. */
  readonly what: string;
  /** What its owner can do. */
  readonly remedy: string;
  readonly begins: (bytes: Uint8Array, text: string) => boolean;
}

const TABLE = 'write it as CSV, Parquet, Arrow or NPZ';
const MODEL = 'a model is saved by model.save, or comes as ONNX or as a state dict in safetensors';
const STATE = 'save its state dict in safetensors: safetensors.torch.save_file(model.state_dict(), path)';
const ARRAYS = 'save its arrays by numpy.savez(path, x=…, y=…)';

const starts =
  (...marks: readonly string[]) =>
  (_: Uint8Array, text: string) =>
    marks.some((mark) => text.startsWith(mark));

/** A zip archive whose bytes name such a file; the names stand plainly in it. */
const zipOf = (name: RegExp) => (bytes: Uint8Array, text: string) =>
  text.startsWith('PK\x03\x04') && name.test(latin1(bytes, 4096) + latin1(bytes.subarray(-65_536), 65_536));

const latin1 = (bytes: Uint8Array, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(length, bytes.byteLength)).toString('latin1');

/** Pickles of protocol 2 and newer begin with their protocol, and end with a full stop. */
const isPickle = (bytes: Uint8Array): boolean => bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 9) <= 5;

const KINDS: readonly Kind[] = [
  {
    own: 'text',
    what: 'an empty file',
    remedy: 'what wrote it has failed, or is not done',
    begins: ({ length }) => length === 0,
  },
  {
    what: 'a file of zero bytes',
    remedy: 'a copy or a download may have been cut off',
    begins: (_, text) => /^\0{16,}$/.test(text),
  },
  {
    what: 'a PyTorch file (.pt, .pth)',
    remedy: STATE,
    begins: zipOf(/\/data\.pkl|\.data\/serialization_id|archive\/version/),
  },
  { what: 'a spreadsheet (.xlsx)', remedy: 'save it as CSV', begins: zipOf(/xl\/(?:workbook|worksheets)/) },
  {
    what: 'an OpenDocument file (.ods)',
    remedy: 'save it as CSV',
    begins: zipOf(/application\/vnd\.oasis\.opendocument/),
  },
  { what: 'an Office document', remedy: 'save its table as CSV', begins: zipOf(/\[Content_Types\]\.xml|word\/|ppt\//) },
  { what: 'a Keras file (.keras)', remedy: MODEL, begins: zipOf(/model\.weights\.h5/) },
  {
    own: 'npz',
    what: 'a NumPy archive (.npz)',
    remedy: 'it holds arrays: readNpz, readTable or readGraph reads it',
    begins: zipOf(/\.npy/),
  },
  {
    own: 'zip',
    what: 'a zip archive',
    remedy: 'unpack it and give the file in it',
    begins: starts('PK\x03\x04', 'PK\x05\x06'),
  },
  { what: 'an HDF5 file (.h5, .hdf5)', remedy: ARRAYS, begins: starts('\x89HDF\r\n\x1a\n') },
  { what: 'a MATLAB file (.mat)', remedy: ARRAYS, begins: starts('MATLAB 5.0') },
  { what: 'an old spreadsheet (.xls)', remedy: 'save it as CSV', begins: starts('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1') },
  {
    what: 'a pickle (.pkl, or .pt of old)',
    remedy: `it would have to be run: ${ARRAYS}, or ${STATE}`,
    begins: isPickle,
  },
  { what: 'an SQLite database', remedy: 'query it, and give the rows as records', begins: starts('SQLite format 3\0') },
  {
    what: 'a DuckDB database',
    remedy: "COPY a table TO 'file.parquet'",
    begins: (_, text) => text.slice(8, 12) === 'DUCK',
  },
  { what: 'a PNG image', remedy: TABLE, begins: starts('\x89PNG') },
  { what: 'a JPEG image', remedy: TABLE, begins: starts('\xff\xd8\xff') },
  { what: 'a GIF image', remedy: TABLE, begins: starts('GIF87a', 'GIF89a') },
  { what: 'a TIFF image', remedy: TABLE, begins: starts('II*\0', 'MM\0*') },
  { what: 'a WebP image', remedy: TABLE, begins: (_, text) => text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP' },
  { what: 'a PDF', remedy: TABLE, begins: starts('%PDF-') },
  {
    own: 'gzip',
    what: 'gzip data (.gz)',
    remedy: 'unpack it; or give its path, packed once',
    begins: starts('\x1f\x8b'),
  },
  { what: 'Zstandard data (.zst)', remedy: 'unpack it by zstd -d', begins: starts('\x28\xb5\x2f\xfd') },
  { what: 'LZ4 data (.lz4)', remedy: 'unpack it by lz4 -d', begins: starts('\x04\x22\x4d\x18') },
  { what: 'bzip2 data (.bz2)', remedy: 'unpack it by bunzip2', begins: starts('BZh') },
  { what: 'xz data (.xz)', remedy: 'unpack it by unxz', begins: starts('\xfd7zXZ\0') },
  { what: 'a 7z archive', remedy: 'unpack it', begins: starts('7z\xbc\xaf\x27\x1c') },
  { what: 'an Avro file', remedy: TABLE, begins: starts('Obj\x01') },
  { what: 'an ORC file', remedy: TABLE, begins: starts('ORC') },
  { what: 'an R file (.rds, .RData)', remedy: TABLE, begins: starts('RDX2', 'RDX3', 'X\n\0\0\0') },
  { what: 'an SPSS file (.sav)', remedy: TABLE, begins: starts('$FL2@(#)', '$FL3@(#)') },
  { what: 'a Stata file (.dta)', remedy: TABLE, begins: starts('<stata_dta>') },
  { what: 'a SAS file (.sas7bdat)', remedy: TABLE, begins: starts(`${'\0'.repeat(12)}\xc2\xea\x81\x60`) },
  {
    what: 'an ARFF file',
    remedy: 'its lines behind @data are CSV',
    begins: (_, text) => /^(?:%.*\s+)*@relation\s/i.test(text),
  },
  {
    what: 'a pointer of Git LFS',
    remedy: 'git lfs pull gets the file that it stands for',
    begins: starts('version https://git-lfs.github.com/spec/'),
  },
  { what: 'a GGUF model', remedy: MODEL, begins: starts('GGUF') },
  { what: 'a TensorFlow Lite model', remedy: MODEL, begins: (_, text) => text.slice(4, 8) === 'TFL3' },
  { own: 'npy', what: 'a NumPy array (.npy)', remedy: 'readNpy or readTable reads it', begins: starts('\x93NUMPY') },
  { own: 'parquet', what: 'a Parquet file', remedy: 'readParquet or readTable reads it', begins: starts('PAR1') },
  { own: 'arrow', what: 'an Arrow file', remedy: 'readArrow or readTable reads it', begins: starts('ARROW1', 'FEA1') },
  {
    own: 'safetensors',
    what: 'a safetensors file',
    remedy:
      'loadModel reads it where it is a model of this package, importStateDict where it is a state dict, resume where it is a checkpoint',
    begins: (_, text) => text.slice(8, 10) === '{"' && text.slice(3, 8) === '\0\0\0\0\0',
  },
  {
    own: 'onnx',
    what: 'an ONNX model',
    remedy: 'importOnnx reads it',
    begins: ([field, version = 0, next = 0], text) =>
      field === 8 && version < 20 && [0x12, 0x3a, 0x42].includes(next) && /onnx|torch|tf2|keras|dladmm|ml/i.test(text),
  },
  {
    own: 'samples',
    what: 'a store of samples',
    remedy: 'openSamples reads it, fit trains from it',
    begins: (_, text) => text.startsWith('dladmm-samples-', 8),
  },
  { own: 'tar', what: 'a tar archive', remedy: 'unpack it', begins: (_, text) => text.slice(257, 262) === 'ustar' },
  {
    what: 'JSON',
    remedy: 'JSON.parse it (JSON Lines a line at a time) and give the rows as records, or write it as CSV',
    begins: (_, text) => /^\s*(?:\{\s*"|\[\s*[[{])/.test(text),
  },
  { what: 'a program', remedy: TABLE, begins: starts('\x7fELF', 'MZ\x90') },
  {
    what: 'a web page',
    remedy: 'the address may give a page in place of the file',
    begins: (_, text) => /^\s*<(?:!doctype html|html)/i.test(text),
  },
  { what: 'XML', remedy: TABLE, begins: (_, text) => /^\s*<\?xml\s/.test(text) },
  {
    own: 'text',
    what: 'text, as CSV is',
    remedy: 'readCsv or readTable reads it (dladmm: as data)',
    begins: (_, text) => /^(?:\xef\xbb\xbf)?[\t\r\n -~\xa0-\xff]+$/.test(text) && text.includes('\n'),
  },
];

/** What the content of a file is, where its first bytes tell, and it is none of what `own` names. */
export function kindOf(bytes: Uint8Array, own: readonly Own[]): string | undefined {
  const head = latin1(bytes, 4096);
  const kind = KINDS.find(({ begins }) => begins(bytes, head));
  if (kind === undefined || (kind.own && own.includes(kind.own))) return undefined;
  return `${kind.what}, which is not read here: ${kind.remedy}`;
}

const EDGE = 65_536;

/** The first and the last bytes of a regular file; undefined where it cannot be read. */
export async function edgesOf(path: string): Promise<Uint8Array | undefined> {
  try {
    // What came out of a pipe is gone. One that is opened and closed ends its writer, and a pipe put there meanwhile may wait for ever.
    if (!(await stat(path)).isFile()) return undefined;
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const info = await file.stat();
      if (!info.isFile()) return undefined;
      const { size } = info;
      const edges = Buffer.alloc(Math.min(size, 2 * EDGE));
      const half = Math.ceil(edges.length / 2);
      await file.read(edges, 0, half, 0);
      await file.read(edges, half, edges.length - half, size - (edges.length - half));
      return edges;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}
