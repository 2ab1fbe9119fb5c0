/**
 * fast-check guided by coverage. Whatever fast-check draws is drawn from a list of choices; a list that reaches edges of the addon
 * which none before has reached is kept, and later lists are made of those that were kept, by a few edits. The addon has to be
 * built with counters (native/test/fuzz/coverage.cc); without them every list is random.
 */
import { openSync, readSync, writeSync } from 'node:fs';
import { random } from './random.mjs';

/** The edges of the addon in this process: what is new since the last look, and how many there have been. */
function counters() {
  const [place, size] = (process.env.DLADMM_COVERAGE ?? '').split(' ').map(Number);
  if (!size) return { fresh: () => 0, total: 0, reached: () => 0 };
  const memory = openSync('/proc/self/mem', 'r+');
  const [now, none] = [Buffer.alloc(size), Buffer.alloc(size)];
  const seen = new Uint8Array(size);
  const level = (count) => (count === 0 ? 0 : count < 4 ? 1 : count < 32 ? 2 : 4);
  return {
    total: size,
    reached: () => seen.filter((levels) => levels > 0).length,
    fresh() {
      readSync(memory, now, 0, size, place);
      writeSync(memory, none, 0, size, place);
      let found = 0;
      for (let i = 0; i < size; i++) {
        const here = level(now[i]) & ~seen[i];
        if (here === 0) continue;
        found += 1;
        seen[i] |= here;
      }
      return found;
    },
  };
}

const EDGES = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)];
/** So many choices are kept, 32 MB of them, so that the peak of the process tells of the addon. A list that was kept for long makes room. */
const KEPT = 2 ** 23;

/** A list of choices, made of those that are worth keeping. */
function edited(r, corpus) {
  if (corpus.length === 0 || r.chance(0.2)) return [];
  let list = [...r.pick(corpus)];
  for (let edits = 1 + r.below(4); edits > 0 && list.length > 0; edits--) {
    const at = r.below(list.length);
    const how = r.below(6);
    if (how < 2) list[at] = r.below(2 ** 32) | 0;
    else if (how === 2) list[at] = r.pick(EDGES);
    else if (how === 3) list.splice(at, 1 + r.below(8));
    else if (how === 4) list = [...list.slice(0, at), ...list.slice(at, at + 1 + r.below(40)), ...list.slice(at)];
    else list = [...list.slice(0, at), ...r.pick(corpus).slice(at)];
  }
  return list;
}

/** For `fc.assert`: `randomType`, and what the property calls at its end. */
export function guided() {
  const edges = counters();
  const corpus = [];
  let [kept, found, drawn] = [0, 0, []];
  const source = (r) => {
    let given = [];
    return {
      clone() {
        const [choices, own] = [given, []];
        drawn = own;
        return {
          clone: () => source(r),
          next() {
            own.push(own.length < choices.length ? choices[own.length] : r.below(2 ** 32) | 0);
            return own.at(-1);
          },
          jump: () => undefined,
        };
      },
      next: () => r.below(2 ** 32) | 0,
      jump() {
        given = edited(r, corpus);
      },
    };
  };
  return {
    randomType: (seed) => source(random(`guided ${seed}`)),
    learn() {
      if (edges.total === 0 || edges.fresh() === 0) return;
      found += 1;
      corpus.push(Int32Array.from(drawn));
      kept += drawn.length;
      while (kept > KEPT) kept -= corpus.shift().length;
    },
    report: () => ({
      edges: edges.total,
      reached: edges.reached(),
      found,
      corpus: corpus.length,
      corpusMB: kept / 2 ** 18,
    }),
  };
}
