/** Scalars as the event files of TensorBoard: records of TFRecord, each an Event in protocol buffers. */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { numbersOf, type StoredRun } from './runs.js';

/** CRC-32C, reflected: that of zlib has another polynomial. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
  return crc;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 255] as number);
  return ~crc >>> 0;
}

/** Turned by 15 bits with a constant added, as TFRecord has it, so that the sum of what holds a sum is no weak one. */
function masked(bytes: Uint8Array): Uint8Array {
  const crc = crc32c(bytes);
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, true);
  return out;
}

/** Its length and the length's sum, the data and their sum. */
function framed(data: Uint8Array): Uint8Array {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(data.length), true);
  return Buffer.concat([length, masked(length), data, masked(data)]);
}

/** Event { wall_time = 1, step = 2, file_version = 3, summary = 5 }. */
function event(seconds: number, step: number, what: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter().tag(1, 1).double(seconds).tag(2, 0).int64(step);
  what(writer);
  return framed(writer.finish());
}

/** A run as the one file of a folder that `tensorboard --logdir` reads, piece by piece. */
export function* eventsOf({ head, records }: StoredRun): Generator<Uint8Array> {
  const began = Date.parse(head.began) / 1000;
  yield event(began, 0, (writer) => void writer.tag(3, 2).string('brain.Event:2'));
  for (const record of records) {
    yield event(began + record.elapsed, record.iteration, (writer) => {
      // Summary { value = 1 }, Value { tag = 1, simple_value = 2 }
      writer.tag(5, 2).fork();
      for (const [name, value] of numbersOf(record)) {
        if (name === 'iteration') continue;
        writer.tag(1, 2).fork().tag(1, 2).string(name).tag(2, 5).float(Math.fround(value)).join();
      }
      writer.join();
    });
  }
}
