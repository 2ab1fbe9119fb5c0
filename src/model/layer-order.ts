/** In which order the layers of a state dict follow one another: by the numbers in their names, their widths, and their file. */

export interface NamedLayer {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
}

/** The orders in which every layer takes what the one before it gives. */
export interface Chains {
  readonly chains: readonly (readonly string[])[];
  /** Whether these are all there are. */
  readonly complete: boolean;
}

/** Chains that an error lists, layers that are searched for them, and steps of that search: it has n! of them at worst. */
const MOST_CHAINS = 4;
const MOST_LAYERS = 64;
const MOST_STEPS = 20_000;

const collator = new Intl.Collator('en', { numeric: true });

/** `fc2` before `fc10`. */
export const naturally = (a: string, b: string): number => collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);

/** Numbers, and what stands between them. */
const partsOf = (name: string): readonly string[] => name.match(/\d+|\D+/g) ?? [];

/** Whether `a` comes before `b` because a number says so: where the names first differ, both have one. */
function numberedBefore(a: string, b: string): boolean {
  const [as, bs] = [partsOf(a), partsOf(b)];
  const at = as.findIndex((part, i) => part !== bs[i]);
  const [one, other] = [as[at] ?? '', bs[at] ?? ''];
  return /^\d/.test(one) && /^\d/.test(other) && collator.compare(one, other) < 0;
}

const follows = (layer: NamedLayer, before: NamedLayer | undefined): boolean =>
  before === undefined || layer.inputs === before.outputs;

/** All chains of all layers that keep to the order of the numbers in their names, as far as they are looked for. */
export function chainsOf(layers: readonly NamedLayer[]): Chains {
  const sorted = layers.toSorted((a, b) => naturally(a.name, b.name));
  const numbered = sorted.every(
    (layer, i) => i === 0 || numberedBefore((sorted[i - 1] as NamedLayer).name, layer.name),
  );
  if (numbered) {
    const fits = sorted.every((layer, i) => follows(layer, sorted[i - 1]));
    return { chains: fits ? [sorted.map(({ name }) => name)] : [], complete: true };
  }
  if (sorted.length > MOST_LAYERS) return { chains: [], complete: false };
  const earlier = sorted.map(({ name }) => sorted.map((other) => numberedBefore(other.name, name)));
  const used = sorted.map(() => false);
  const chain: NamedLayer[] = [];
  const chains: string[][] = [];
  let steps = 0;
  const extend = (): boolean => {
    if (chain.length === sorted.length) return chains.push(chain.map(({ name }) => name)) < MOST_CHAINS;
    for (const [i, layer] of sorted.entries()) {
      if (used[i] || !follows(layer, chain.at(-1)) || earlier[i]?.some((is, j) => is && !used[j])) continue;
      steps += 1;
      if (steps > MOST_STEPS) return false;
      used[i] = true;
      chain.push(layer);
      const goOn = extend();
      chain.pop();
      used[i] = false;
      if (!goOn) return false;
    }
    return true;
  };
  return { complete: extend(), chains };
}

/**
 * Whether the order of the tensors in their file was made by sorting their names, as `safetensors` does (type by type), and so
 * says nothing.
 */
export const isSorted = (tensors: readonly (readonly [name: string, dtype: string])[]): boolean =>
  tensors.every(([name, dtype], i) => {
    const [before, type] = tensors[i - 1] ?? ['', dtype];
    return type !== dtype || before < name;
  });
