import { DlAdmmError } from 'dladmm';
import type { Numbers } from 'dladmm/data';
import { a, type LayeredSession, layered, type Update, type UpdateRecord, W } from 'dladmm/solvers';
import { uniform } from '../harness/samples.js';
import { median } from '../harness/statistics.js';
import { BLOCKS, type Curve, KINDS, type Kind, type Point, type Setting, type TimedBlock } from './curves.js';

/**
 * How often one kind of step is timed at one width: the timed updates of each of its turns. The kinds take turns, so that
 * a drift of the machine's speed meets all alike. Every turn has one update more, its first, that is not counted.
 */
type Effort = readonly number[];

const turns = (count: number, updates: number): Effort => new Array<number>(count).fill(updates);

/** Less for larger widths, where one update takes seconds and its time scatters less: the whole is to end in minutes. */
function effortFor(kind: Kind, n: number, samples: Setting['samples'], quick: boolean): Effort {
  // An eigen-decomposition at the effort of the others would take most of the time of a whole run.
  if (kind === 'pseudoinverse') return turns(2, 1);
  if (quick) return turns(3, 3);
  if (n <= 256) return turns(15, 25);
  if (n <= 724) return turns(8, 6);
  if (n <= 1448) return turns(4, 3);
  if (samples === 'n') return n <= 2048 ? turns(2, 2) : turns(2, 1);
  return turns(3, kind === 'quadratic' ? 3 : 1);
}

const LARGEST_PSEUDOINVERSE = 1024;

const kindsAt = (block: TimedBlock, n: number): readonly Kind[] =>
  KINDS[block].filter((kind) => kind !== 'pseudoinverse' || n <= LARGEST_PSEUDOINVERSE);

const UPDATES: Readonly<Record<TimedBlock, Update>> = { W: W(2), a: a(1) };

const PENALTIES = {
  nu: 1,
  rho: 1,
  gamma: 1,
  l2: 0,
  search: 'exact',
  theta0: 1,
  tau0: 1,
  growth: 2,
  output: 'exact',
  fistaStep: 4,
  fistaTolerance: 1e-3,
  fistaLimit: 500,
} as const;

/** Random contents of a state: a network n-n-n, and samples that it is far from fitting, so that no direction is zero. */
interface Contents {
  readonly x: Numbers;
  readonly weights: readonly Numbers[];
  readonly preActivations: readonly Numbers[];
}

function contentsOf(n: number, samples: number, dtype: Setting['dtype']): Contents {
  // With variance 1/n a layer's outputs are of the size of its inputs, whatever its width.
  const scale = Math.sqrt(3 / n);
  return {
    x: uniform(samples * n, dtype),
    weights: [uniform(n * n, dtype, scale), uniform(n * n, dtype, scale)],
    preActivations: [uniform(samples * n, dtype), uniform(samples * n, dtype)],
  };
}

async function openState(
  kind: Kind,
  n: number,
  samples: number,
  { dtype }: Setting,
  threads: number,
  { x, weights, preActivations }: Contents,
): Promise<LayeredSession> {
  const rows = { data: x, rows: samples, columns: n };
  const state = await layered.open(
    {
      network: { layers: [n, n, n], activation: 'relu', loss: 'squared-error' },
      dtype,
      softmax: 'stable',
      threads,
      gram: false,
      fista: false,
      steps: { W: ['quadratic', kind], a: [kind === 'pseudoinverse' ? 'quadratic' : kind] },
    },
    { x: rows, y: rows },
  );
  try {
    for (const [i, values] of weights.entries()) await state.write('W', i + 1, values);
    await state.start({ output: 'forward', dual: 'zero' });
    for (const [i, values] of preActivations.entries()) await state.write('z', i + 1, values);
    return state;
  } catch (error) {
    state.close();
    throw error;
  }
}

/** A quadratic step along a zero direction would be timed doing nothing; inversion does its work wherever it starts. */
function checkStep(kind: Kind, n: number, { block, stepNorm }: UpdateRecord): void {
  if (kind !== 'quadratic' || (stepNorm !== undefined && stepNorm > 0)) return;
  throw new DlAdmmError('ERR_DLADMM_NATIVE', `The quadratic step of ${block} did not move at n = ${n}`);
}

async function turn(state: LayeredSession, block: TimedBlock, kind: Kind, n: number, count: number) {
  const { updates, diverged } = await state.run(Array<Update>(count + 1).fill(UPDATES[block]), PENALTIES);
  if (diverged) throw new DlAdmmError('ERR_DLADMM_NATIVE', `${block} by ${kind} diverged at n = ${n}`);
  for (const record of updates) checkStep(kind, n, record);
  // An update settles what the one before it has left waiting: the first of a run has nothing to settle.
  return updates.slice(1);
}

function pointOf(n: number, records: readonly UpdateRecord[]): Point {
  return {
    n,
    seconds: median(records.map(({ seconds }) => seconds)),
    factorShare: median(records.map(({ seconds, factorSeconds = 0 }) => factorSeconds / seconds)),
    runs: records.length,
  };
}

interface Cell {
  readonly block: TimedBlock;
  readonly kind: Kind;
  readonly records: UpdateRecord[];
}

export interface MeasureOptions {
  readonly threads: number;
  readonly quick: boolean;
  /** Told before each width. */
  readonly tell?: (text: string) => void;
}

async function measureWidth(setting: Setting, n: number, options: MeasureOptions): Promise<readonly Cell[]> {
  const { threads, quick } = options;
  const samples = setting.samples === 'n' ? n : setting.samples;
  const contents = contentsOf(n, samples, setting.dtype);
  const states = new Map<Kind, LayeredSession>();
  const cells: readonly Cell[] = BLOCKS.flatMap((block) =>
    kindsAt(block, n).map((kind) => ({ block, kind, records: [] })),
  );
  try {
    for (const kind of new Set(cells.map((cell) => cell.kind))) {
      states.set(kind, await openState(kind, n, samples, setting, threads, contents));
    }
    const efforts = cells.map(({ kind }) => effortFor(kind, n, setting.samples, quick));
    for (let round = 0; round < Math.max(...efforts.map(({ length }) => length)); round += 1) {
      for (const [i, { block, kind, records }] of cells.entries()) {
        const updates = efforts[i]?.[round] ?? 0;
        if (updates === 0) continue;
        records.push(...(await turn(states.get(kind) as LayeredSession, block, kind, n, updates)));
      }
    }
  } finally {
    for (const state of states.values()) state.close();
  }
  return cells;
}

/** Times one update of each kind for each block at every width. What does not fit into memory is told and left out. */
export async function measure(
  setting: Setting,
  sizes: readonly number[],
  options: MeasureOptions,
): Promise<readonly Curve[]> {
  const points: (Omit<Cell, 'records'> & { readonly point: Point })[] = [];
  for (const n of sizes) {
    options.tell?.(`${setting.dtype}, ${setting.samples} samples, n = ${n}`);
    try {
      const cells = await measureWidth(setting, n, options);
      points.push(...cells.map(({ block, kind, records }) => ({ block, kind, point: pointOf(n, records) })));
    } catch (error) {
      if (!(error instanceof DlAdmmError) || error.code !== 'ERR_DLADMM_MEMORY') throw error;
      options.tell?.(`left out: ${error.message}`);
    }
  }
  return BLOCKS.flatMap((block) =>
    KINDS[block].map((kind) => ({
      block,
      kind,
      points: points.filter((at) => at.block === block && at.kind === kind).map(({ point }) => point),
    })),
  );
}
