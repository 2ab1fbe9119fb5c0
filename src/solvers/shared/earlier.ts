/** What options were called when checkpoints of the first format were written. */
const GRADIENT = { weightDecay: 'l2' } as const;

const EARLIER_NAMES: { readonly [solver: string]: { readonly [before: string]: string } } = {
  'sigmoid-admm': { lambda: 'l2' },
  'minibatch-admm': { step: 'learningRate', decay: 'learningRateSchedule', beta: 'gramMemory' },
  gd: GRADIENT,
  sgd: GRADIENT,
  adagrad: GRADIENT,
  adadelta: { ...GRADIENT, decay: 'beta2' },
  adam: GRADIENT,
  badm: GRADIENT,
  sisa: { ...GRADIENT, beta: 'beta2' },
};

type Stored = Readonly<Record<string, unknown>>;

/** The options of a checkpoint, in the words of today and with what has become a default since. */
export function earlierOptions(options: Stored, format: number): Stored {
  const values = options.loss === 'squared-error';
  // Targets were taken as they are.
  const targets = values ? { standardiseTargets: false } : {};
  const { earlyStopping } = options;
  // What is watched is written down since the loss stands where nobody says.
  const watched = typeof earlyStopping === 'object' && {
    earlyStopping: { metric: values ? 'loss' : 'accuracy', ...earlyStopping },
  };
  return { ...targets, ...(format > 1 ? options : renamed(options)), ...watched };
}

/** Those of the first format. */
function renamed(options: Stored): Stored {
  const names = EARLIER_NAMES[String(options.solver)] ?? {};
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      names[name] ?? name,
      name === 'outputSolver' ? earlierOutputSolver(value) : value,
    ]),
  );
}

function earlierOutputSolver(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('solver' in value)) return value;
  const { solver: kind, step: curvature, ...settings } = value as { readonly solver: unknown; readonly step?: unknown };
  return { kind, ...settings, ...(curvature !== undefined && { curvature }) };
}
