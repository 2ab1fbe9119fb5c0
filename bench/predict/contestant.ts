/** One contestant in a process of its own: first it is told which, then it takes turns. */
import { answer } from '../harness/child.js';
import { seededRandom } from '../harness/random.js';
import { type Contestant, contestantOf, type Name } from './contestants.js';

export interface Setup {
  readonly name: Name;
  readonly folder: string;
  readonly layers: readonly number[];
}
export interface Turn {
  readonly rows: number;
  readonly calls: number;
  /** Calls before them that are not counted. */
  readonly warmUp: number;
  /** After so long a turn ends, though it has calls left: who is slow must not cost the others their rounds. */
  readonly longest: number;
}
export interface Reply {
  readonly version: string;
  /** Microseconds of each call. */
  readonly times: readonly number[];
  readonly answers: readonly number[];
}

let contestant: Contestant;
let inputs = 0;

answer<Setup | Turn, Reply>(async (request) => {
  if ('rows' in request) return take(request);
  contestant = await contestantOf(request.name, request.folder, request.layers);
  inputs = request.layers[0] ?? 0;
  return { version: contestant.version, times: [], answers: [] };
});

// Threads of those who are compared with would keep the process alive.
process.on('disconnect', () => process.exit());

async function take({ rows, calls, warmUp, longest }: Turn): Promise<Reply> {
  const x = new Float32Array(rows * inputs).map(seededRandom(2).uniform);
  const end = performance.now() + longest;
  for (let i = 0; i < warmUp && performance.now() < end; i += 1) await contestant.predict(x);
  const times: number[] = [];
  let answers: ArrayLike<number> = [];
  for (let i = 0; i < calls && (i === 0 || performance.now() < end); i += 1) {
    const began = performance.now();
    answers = await contestant.predict(x);
    times.push((performance.now() - began) * 1000);
  }
  return { version: contestant.version, times, answers: Array.from(answers) };
}
