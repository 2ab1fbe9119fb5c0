/** What too strong a regulariser leaves of a network: no way of weights other than 0 from an input to an output. */
import type { Numbers } from '../core/native.js';

type Terms = Readonly<Record<string, unknown>>;

/** Whether an output depends on an input. */
function depends(weights: readonly Numbers[], layers: readonly number[]): boolean {
  let reached = new Uint8Array(layers[0] ?? 0).fill(1);
  for (const [l, W] of weights.entries()) {
    const inputs = layers[l] ?? 0;
    const before = reached;
    reached = Uint8Array.from({ length: layers[l + 1] ?? 0 }, (_, j) =>
      before.some((from, k) => from === 1 && W[j * inputs + k] !== 0) ? 1 : 0,
    );
  }
  return reached.includes(1);
}

const and = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;

/**
 * A warning of a model that answers the same to everybody, as too little is left of its weights.
 *
 * @param options those of its training
 */
export function emptiedBy(
  options: object,
  {
    weights,
    network: { layers },
  }: { readonly weights: readonly Numbers[]; readonly network: { layers: readonly number[] } },
): readonly string[] | undefined {
  const { regularise } = options as { readonly regularise?: { readonly W?: Terms | readonly Terms[] } };
  const asked = regularise?.W;
  if (asked === undefined || depends(weights, layers)) return undefined;
  const called = (l: number): string => {
    const terms = Array.isArray(asked) ? (asked as readonly Terms[])[l] : (asked as Terms);
    const told = Object.entries(terms ?? {}).flatMap(([name, value]) => (value ? [`${name} ${value}`] : []));
    return `layer ${l + 1} (${told.join(', ') || 'no term'})`;
  };
  const all = weights.map((_, l) => l);
  const empty = all.filter((l) => (weights[l] as Numbers).every((w) => w === 0));
  const left =
    empty.length > 0
      ? `all weights of ${and(empty.map(called))} are 0`
      : `of ${and(all.map(called))} no way of weights other than 0 is left from an input to an output`;
  const text = `regularise is too strong: ${left}, so that the model answers the same to everybody; a tenth of that may help, or path of dladmm/choosing, which tries strengths one after the other`;
  return [text];
}
