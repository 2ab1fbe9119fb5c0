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

/** The options of a checkpoint of the first format, in the words of today. */
export function earlierOptions(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
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
