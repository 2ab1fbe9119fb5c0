/** Samples that are held out of a training, at random and so that every class keeps its share. */

import { dtypeOf, zeros } from '../core/numbers.js';
import { seededRandom } from '../core/random.js';
import { inSteps, someSparseRows } from '../tensor/csr.js';
import { inTurns, type RowSource, trusted, turn } from '../tensor/inputs.js';

/** The numbers of the samples of each part, in their order. */
export interface Parts {
  readonly train: Int32Array;
  readonly held: Int32Array;
}

/**
 * `share` of every class (of all samples, where there are no classes), drawn by `seed`. Of a class of one sample nothing is held
 * out.
 *
 * @param labels a class for each sample
 */
export async function heldOut(
  samples: number,
  labels: ArrayLike<unknown> | undefined,
  share: number,
  seed: number,
): Promise<Parts> {
  const random = seededRandom(seed);
  const members = new Map<unknown, number[]>();
  await inTurns(samples, (i) => {
    const label = labels?.[i];
    const of = members.get(label);
    if (of) of.push(i);
    else members.set(label, [i]);
  });
  const held = new Uint8Array(samples);
  for (const rows of members.values()) {
    const count = Math.min(rows.length - 1, Math.round(share * rows.length));
    // The first `count` of a shuffle.
    await inTurns(count, (i) => {
      const j = i + Math.floor(random.uniform() * (rows.length - i));
      const [a, b] = [rows[i] as number, rows[j] as number];
      rows[i] = b;
      rows[j] = a;
      held[b] = 1;
    });
  }
  const part = (which: number): Int32Array => {
    const rows = new Int32Array(samples);
    let count = 0;
    for (let i = 0; i < samples; i += 1) if (held[i] === which) rows[count++] = i;
    return rows.slice(0, count);
  };
  return { train: await turn(part(0)), held: await turn(part(1)) };
}

/** Some rows of a source, whose numbers rise; the event loop runs in between. */
export async function someRows(source: RowSource, rows: Int32Array): Promise<RowSource> {
  const { columns, name, sparse } = source;
  if (sparse) return inSteps(someSparseRows(sparse, name, rows));
  return trusted({
    name,
    rows: rows.length,
    columns,
    chunk(first, count) {
      const low = rows[first] ?? 0;
      const from = source.chunk(low, (rows[first + count - 1] ?? low) - low + 1);
      const out = zeros(dtypeOf(from), count * columns);
      for (let i = 0; i < count; i += 1) {
        const at = ((rows[first + i] as number) - low) * columns;
        out.set(from.subarray(at, at + columns), i * columns);
      }
      return out;
    },
  });
}
