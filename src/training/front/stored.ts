/** Samples of a store, made ready for a training: what of them is held out, and what they are. */
import { bytesSaid } from '../../core/bytes.js';
import { type DlAdmmError, expected } from '../../core/errors.js';
import { present } from '../../core/objects.js';
import { seededRandom } from '../../core/random.js';
import { checkRoom } from '../../formats/atomic-file.js';
import { DIALECT } from '../../formats/csv.js';
import { type StoredSamples, storeOf } from '../../formats/sample-file.js';
import { type ArrivingSamples, areSamples } from '../../samples/arriving.js';
import { LEARNING } from '../../samples/learning.js';
import { type Part, StoredSet } from '../../samples/stored.js';
import { taskOf } from '../../samples/targets.js';
import { heldOutShare } from '../../solvers/auto.js';
import type { MatrixLike } from '../../tensor/inputs.js';
import type { TrainingData } from '../result.js';
import type { HeldOut } from './parts.js';
import { DEFAULT_LOSS, type Given, type Ready } from './ready.js';

/** More are not held out, rows or entries: they are kept in memory, and tell an accuracy to half a percent. */
const MOST_HELD = 20_000;
const MOST_ENTRIES = 2 ** 22;

/** Rows drawn by `seed`, each as likely as the others. */
function drawn(rows: number, count: number, seed: number): ReadonlySet<number> {
  const random = seededRandom(seed);
  const held = new Set<number>();
  while (held.size < count) held.add(Math.floor(random.uniform() * rows));
  return held;
}

/** Rows of a store in memory. */
async function inMemory(store: StoredSamples, part?: Part): Promise<ArrivingSamples> {
  const { classes, columns, inputs, beside } = store;
  const set = new StoredSet(store, part);
  checkRoom(8 * set.rows * (inputs + beside), store.path);
  return { ...(await set.gathered(true)), ...present({ classes, columns }) };
}

/** The options that say how rows become samples, or that need all of them in memory. */
const REFUSED = [
  ...Object.keys({ ...LEARNING, ...DIALECT }),
  ...(['weights', 'classWeights', 'trainMetrics', 'distributed'] as const),
];
const WHY: Readonly<Record<string, string>> = {
  trainMetrics: 'it takes all samples in memory',
  classWeights: 'it takes all samples in memory',
  distributed: 'a store is read by one process',
  classes: 'they have been told apart as samples were packed',
};
/** Those that a model has settled which goes on. */
const SETTLED = ['columns', 'classes', 'target'];

const noneWithStore = (option: string, value: unknown): DlAdmmError =>
  expected(`none with a store of samples, as ${WHY[option] ?? 'it is said as samples are packed'},`, option, value);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for options that have been decided as the store was packed, or need samples in memory */
function checkGiven(store: StoredSamples, given: Given): void {
  const all = given as unknown as Readonly<Record<string, unknown>>;
  const odd = [...REFUSED, ...(given.goesOn ? [] : SETTLED)].find(
    (key) => all[key] !== undefined && all[key] !== false,
  );
  const own = odd === 'target' && String(all[odd]) === String(store.target);
  if (odd && !own) throw noneWithStore(odd, all[odd]);
  const task = given.loss ? taskOf(given.loss) : given.task;
  if (task && task !== store.task)
    throw expected(`${store.task}, as ${store.path} has it,`, given.loss ? 'loss' : 'task', given.loss ?? task);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for a store, before a process looks for others to train with */
export async function checkNotStored(data: unknown): Promise<void> {
  // What is damaged is told where it is read.
  using stored = await storeOf(data).catch(() => undefined);
  if (stored) throw noneWithStore('distributed', true);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_FORMAT, ERR_DLADMM_FILE */
export async function fromStore(store: StoredSamples, given: Given): Promise<Ready> {
  checkGiven(store, given);
  const { rows, inputs, outputs, task, columns, classes, target, facts } = store;
  const { seed, validationShare: share = heldOutShare(rows) } = given;
  const count =
    given.validation === undefined
      ? Math.min(Math.round(share * rows), MOST_HELD, Math.floor(MOST_ENTRIES / inputs))
      : 0;
  const held = drawn(rows, count, seed);
  const beside = async (set: unknown, name: string): Promise<ArrivingSamples> => {
    if (areSamples(set)) return set;
    const other = await storeOf(set);
    if (other === undefined) throw expected('a store, or { x, labels } or { x, y },', name, set);
    try {
      return await inMemory(other.store);
    } finally {
      other.close();
    }
  };
  const validation =
    count > 0
      ? await inMemory(store, { rows: count, has: (row) => held.has(row), name: 'held out' })
      : given.validation === undefined
        ? undefined
        : await beside(given.validation, 'validation');
  const test = given.test === undefined ? undefined : await beside(given.test, 'test');
  const name = `all but ${count} drawn by ${seed}`;
  const part = { rows: rows - count, has: (row: number) => !held.has(row), name };
  const x = new StoredSet(store, part, bytesSaid(given.memory)) as unknown as MatrixLike;
  const data: TrainingData = { x, ...present({ columns, classes, target, validation, test }) };
  const heldOut: HeldOut = { samples: count, of: rows, how: `drawn by seed ${seed}` };
  return {
    data,
    samples: part.rows,
    inputs,
    features: columns?.length ?? inputs,
    outputs,
    loss: given.loss ?? ((task === 'classification' && given.classLoss) || DEFAULT_LOSS[task]),
    standardise: given.standardise ?? !facts.unit,
    task,
    because: facts.because,
    ...present({ target }),
    ...(count > 0 && { heldOut }),
    warnings: [],
  };
}
