import { DlAdmmError } from 'dladmm';
import { a, type LayeredSession, layered, type StepKind, type UpdateRecord, W } from 'dladmm/solvers';
import { uniform } from '../harness/samples.js';
import { median } from '../harness/statistics.js';

/** The kinds of step that are timed, by block; the quadratic one first, as the others are compared with it. */
export const KINDS = {
  W: ['quadratic', 'pseudoinverse', 'inverse', 'cholesky'],
  a: ['quadratic', 'inverse', 'cholesky'],
} as const satisfies Readonly<Record<string, readonly StepKind[]>>;

export type TimedBlock = keyof typeof KINDS;
export const BLOCKS: readonly TimedBlock[] = ['W', 'a'];

/** One curve is measured with each: so many samples, or as many as a layer has neurons. */
export interface Setting {
  readonly dtype: 'float32' | 'float64';
  readonly samples: number | 'n';
}

export type Point = ReturnType<typeof pointOf>;

/** The points of one kind of step for one block, by rising n. */
export interface Curve {
  readonly block: TimedBlock;
  readonly kind: StepKind;
  readonly points: readonly Point[];
}

/** Widths 64 · 2^(k/2), rounded, up to a largest one. */
export function widths(largest: number): readonly number[] {
  const all: number[] = [];
  for (let k = 0; Math.round(64 * 2 ** (k / 2)) <= largest; k += 1) all.push(Math.round(64 * 2 ** (k / 2)));
  return all;
}

/**
 * The turns of one kind of step at one width, and the timed updates of each. The kinds take turns, so that a drift of the machine's
 * speed meets all alike. Every turn has one update more, its first, that is not counted. Less for larger widths, where one update takes
 * seconds and its time scatters less: the whole is to end in minutes.
 */
function effortFor(kind: StepKind, n: number, samples: Setting['samples'], quick: boolean) {
  // An eigen-decomposition at the effort of the others would take most of the time of a whole run.
  if (kind === 'pseudoinverse') return { turns: 2, updates: 1 };
  if (quick) return { turns: 3, updates: 3 };
  if (n <= 256) return { turns: 15, updates: 25 };
  if (n <= 724) return { turns: 8, updates: 6 };
  if (n <= 1448) return { turns: 4, updates: 3 };
  if (samples === 'n') return { turns: 2, updates: n <= 2048 ? 2 : 1 };
  return { turns: 3, updates: kind === 'quadratic' ? 3 : 1 };
}

const LARGEST_PSEUDOINVERSE = 1024;
const UPDATES = { W: W(2), a: a(1) } as const;
const QUADRATIC = { nu: 1, rho: 1, gamma: 1, l2: 0, search: 'exact', theta0: 1, tau0: 1, growth: 2 } as const;
const PENALTIES = { ...QUADRATIC, output: 'exact', fistaStep: 4, fistaTolerance: 1e-3, fistaLimit: 500 } as const;

/** Random contents of a state: a network n-n-n, and samples that it is far from fitting, so that no direction is zero. */
function contentsOf(n: number, samples: number, dtype: Setting['dtype']) {
  // With variance 1/n a layer's outputs are of the size of its inputs, whatever its width.
  const scale = Math.sqrt(3 / n);
  const matrix = (rows: number, reach = 1) => uniform(rows * n, dtype, reach);
  return { x: matrix(samples), W: [matrix(n, scale), matrix(n, scale)], z: [matrix(samples), matrix(samples)] };
}

async function openState(
  kind: StepKind,
  n: number,
  dtype: Setting['dtype'],
  threads: number,
  { x, W, z }: ReturnType<typeof contentsOf>,
): Promise<LayeredSession> {
  const rows = { data: x, rows: x.length / n, columns: n };
  const network = { layers: [n, n, n], activation: 'relu', loss: 'squared-error' } as const;
  const steps = { W: ['quadratic', kind], a: [kind === 'pseudoinverse' ? 'quadratic' : kind] } as const;
  const options = { network, dtype, softmax: 'stable', threads, gram: false, fista: false, steps } as const;
  const state = await layered.open(options, { x: rows, y: rows });
  try {
    for (const [i, values] of W.entries()) await state.write('W', i + 1, values);
    await state.start({ output: 'forward', dual: 'zero' });
    for (const [i, values] of z.entries()) await state.write('z', i + 1, values);
    return state;
  } catch (error) {
    state.close();
    throw error;
  }
}

async function turn(state: LayeredSession, block: TimedBlock, kind: StepKind, n: number, count: number) {
  const { updates, diverged } = await state.run(new Array(count + 1).fill(UPDATES[block]), PENALTIES);
  if (diverged) throw new DlAdmmError('ERR_DLADMM_NATIVE', `${block} by ${kind} diverged at n = ${n}`);
  // A quadratic step along a zero direction would be timed doing nothing; inversion does its work wherever it starts.
  if (kind === 'quadratic' && updates.some(({ stepNorm = 0 }) => !(stepNorm > 0))) {
    throw new DlAdmmError('ERR_DLADMM_NATIVE', `The quadratic step of ${block} did not move at n = ${n}`);
  }
  // An update settles what the one before it has left waiting: the first of a run has nothing to settle.
  return updates.slice(1);
}

/** The time of one update at one width. */
const pointOf = (n: number, records: readonly UpdateRecord[]) => ({
  n,
  /** The median of the runs. */
  seconds: median(records.map(({ seconds }) => seconds)),
  /** Share of the time that went into forming and factoring (or inverting) the n × n matrix; 0 for a quadratic step. */
  factorShare: median(records.map(({ seconds, factorSeconds = 0 }) => factorSeconds / seconds)),
  runs: records.length,
});

export interface MeasureOptions {
  readonly threads: number;
  readonly quick: boolean;
  /** Told before each width. */
  readonly tell: (text: string) => void;
}

async function measureWidth({ dtype, samples }: Setting, n: number, { threads, quick }: MeasureOptions) {
  const contents = contentsOf(n, samples === 'n' ? n : samples, dtype);
  const states = new Map<StepKind, LayeredSession>();
  const cells = BLOCKS.flatMap((block) =>
    KINDS[block]
      .filter((kind) => kind !== 'pseudoinverse' || n <= LARGEST_PSEUDOINVERSE)
      .map((kind) => ({ block, kind, effort: effortFor(kind, n, samples, quick), records: [] as UpdateRecord[] })),
  );
  try {
    for (const kind of new Set(cells.map((cell) => cell.kind))) {
      states.set(kind, await openState(kind, n, dtype, threads, contents));
    }
    for (let round = 0; round < Math.max(...cells.map(({ effort }) => effort.turns)); round += 1) {
      for (const { block, kind, effort, records } of cells) {
        if (round >= effort.turns) continue;
        records.push(...(await turn(states.get(kind) as LayeredSession, block, kind, n, effort.updates)));
      }
    }
  } finally {
    for (const state of states.values()) state.close();
  }
  return cells.map(({ block, kind, records }) => ({ block, kind, point: pointOf(n, records) }));
}

/** Times one update of each kind for each block at every width. What does not fit into memory is told and left out. */
export async function measure(
  setting: Setting,
  sizes: readonly number[],
  options: MeasureOptions,
): Promise<readonly Curve[]> {
  const points: Awaited<ReturnType<typeof measureWidth>> = [];
  for (const n of sizes) {
    options.tell(`${setting.dtype}, ${setting.samples} samples, n = ${n}`);
    try {
      points.push(...(await measureWidth(setting, n, options)));
    } catch (error) {
      if (!(error instanceof DlAdmmError) || error.code !== 'ERR_DLADMM_MEMORY') throw error;
      options.tell(`left out: ${error.message}`);
    }
  }
  return BLOCKS.flatMap((block) =>
    KINDS[block].map((kind) => {
      const own = points.filter((at) => at.block === block && at.kind === kind);
      return { block, kind, points: own.map(({ point }) => point) };
    }),
  );
}
