import { oneOf } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import { group, option, type ValueType } from '../../network/schema.js';

/**
 * How one block is minimised over.
 *
 * - `quadratic`: a gradient step whose size backtracking has accepted, O(n²) a sample (dlADMM, Algorithms 2 to 5).
 * - `inverse`: the exact minimiser; the n × n matrix aᵀa + εI (W) or WᵀW + (γ/w)I (a) is inverted explicitly and
 *   multiplied by: Taylor et al. as printed, O(n³).
 * - `cholesky`: the exact minimiser by factor and solve. Where there are fewer samples than inputs (W), or fewer outputs
 *   than inputs (a), the smaller matrix that gives the same solution is factored.
 * - `pseudoinverse` (W alone): the minimum-norm minimiser by the eigen-decomposition of aᵀa; eigenvalues below 1e-13 of
 *   the largest (in float32 below 2e-6) are dropped.
 */
export type StepKind = 'quadratic' | 'pseudoinverse' | 'inverse' | 'cholesky';

/** `auto`: `cholesky` where it costs at most two quadratic steps, else `quadratic`; see {@link cheaperStep}. */
export type StepChoice = StepKind | 'auto';

/** The kinds of step of W_1 … W_L and of a_1 … a_{L−1}: one for all layers, or one a layer. */
export interface StepChoices {
  readonly W?: StepChoice | readonly StepChoice[];
  readonly a?: StepChoice | readonly StepChoice[];
}

/** The kinds of step of every layer; layer l at l − 1. */
export interface StepKinds {
  readonly W: readonly StepKind[];
  readonly a: readonly StepKind[];
}

const W_KINDS = ['quadratic', 'pseudoinverse', 'inverse', 'cholesky'] as const satisfies readonly StepKind[];
const A_KINDS = ['quadratic', 'inverse', 'cholesky'] as const satisfies readonly StepKind[];

/** Kinds of step, spread over the layers. */
const stepsType = (
  kinds: readonly StepKind[],
  layers: (L: number) => number,
): ValueType<StepChoice | readonly StepChoice[], readonly StepChoice[]> => {
  const allowed: readonly StepChoice[] = [...kinds, 'auto'];
  return {
    type: `${allowed.map((kind) => `'${kind}'`).join(' | ')}, or one a layer`,
    typed: { as: 'word', words: allowed },
    check: (value, name, { network }) => spread(value, layers(network.layers.length - 1), allowed, name),
  };
};

/** The option that says how every W_l and a_l is minimised over. */
export const stepsBy = (otherwise: { readonly W: StepChoice; readonly a: StepChoice }) =>
  group(
    {
      W: option(
        stepsType(W_KINDS, (L) => L),
        { default: otherwise.W, says: 'How every W is minimised over.' },
      ),
      a: option(
        stepsType(A_KINDS, (L) => L - 1),
        { default: otherwise.a, says: 'How every a is minimised over.' },
      ),
    },
    { default: {}, otherwise: `W: ${otherwise.W}, a: ${otherwise.a}`, says: 'How the blocks are minimised over.' },
  );

function spread(choice: unknown, layers: number, allowed: readonly StepChoice[], name: string): readonly StepChoice[] {
  if (!Array.isArray(choice)) return new Array<StepChoice>(layers).fill(oneOf(choice, allowed, name));
  if (choice.length !== layers) throw expected(`${layers} kinds, one a layer,`, name, choice, 'ERR_DLADMM_SHAPE');
  return choice.map((kind, i) => oneOf(kind, allowed, `${name}[${i}]`));
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE */
export function checkStepKinds(steps: StepKinds, L: number, name: string): void {
  spread(steps.W, L, W_KINDS, `${name}.W`);
  spread(steps.a, L - 1, A_KINDS, `${name}.a`);
}

/** Sizes of one update: a_{l−1} is samples × inputs and W_l is outputs × inputs (for an a update, those of layer l + 1). */
export interface UpdateSizes {
  readonly samples: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** Floating-point operations of one update of W_l or a_l by each kind of step; products, factors and solves. */
export function stepFlops(block: 'W' | 'a', kind: 'quadratic' | 'cholesky', sizes: UpdateSizes): number {
  const { samples: N, inputs: n, outputs: m } = sizes;
  const product = 2 * N * n * m;
  if (kind === 'quadratic') return 2 * product;
  if (block === 'W') {
    // the cross product and the new P; the Gram matrix, its factor, the solve
    const byFeatures = N * n * n + n ** 3 / 3 + 2 * m * n * n;
    const bySamples = N * N * n + N ** 3 / 3 + 2 * m * N * N;
    return 2 * product + Math.min(byFeatures, N < n ? bySamples : byFeatures);
  }
  const byInputs = m * n * n + n ** 3 / 3 + 2 * N * n * n;
  const byOutputs = m * m * n + m ** 3 / 3 + 2 * N * m * m;
  return 2 * product + (m < n ? byOutputs : byInputs);
}

/** What an exact step may cost in quadratic steps: it moves at least as far as any number of them. */
const WORTH = 2;

/**
 * The step that `auto` stands for. An exact step lowers the augmented Lagrangian at least as much as any number of
 * quadratic steps; with many more samples than features it costs little more than one. So it is taken where it costs at
 * most two.
 */
export function cheaperStep(block: 'W' | 'a', sizes: UpdateSizes): 'quadratic' | 'cholesky' {
  return stepFlops(block, 'cholesky', sizes) <= WORTH * stepFlops(block, 'quadratic', sizes) ? 'cholesky' : 'quadratic';
}

/** Choices with `auto` decided for a network and a number of samples. */
export function decideSteps(
  choices: { readonly W: readonly StepChoice[]; readonly a: readonly StepChoice[] },
  layers: readonly number[],
  samples: number,
): StepKinds {
  const sizes = (l: number): UpdateSizes => ({ samples, inputs: layers[l - 1] ?? 0, outputs: layers[l] ?? 0 });
  return {
    W: choices.W.map((kind, i) => (kind === 'auto' ? cheaperStep('W', sizes(i + 1)) : kind)),
    a: choices.a.map((kind, i) => (kind === 'auto' ? cheaperStep('a', sizes(i + 2)) : kind)),
  };
}
