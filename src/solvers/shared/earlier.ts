import { isObject } from '../../core/objects.js';

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

/** What a table has under whatever name a file says: what every object has is not meant. */
const under = <T>(name: unknown, table: { readonly [name: string]: T }): T | undefined =>
  Object.hasOwn(table, String(name)) ? table[String(name)] : undefined;

/** What others may say too: no option of these solvers has such a name today. */
const SINCE: typeof EARLIER_NAMES = {
  'minibatch-admm': { damping: 'relativeDamping' },
  'variable-metric-admm': { damping: 'relativeDamping' },
};

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
  const own = renamed(format > 1 ? options : ofFirstFormat(options), SINCE);
  const meant = format < 6 ? { ...outputSolverOf(own), ...scheduleOf(own) } : {};
  return { ...targets, ...unsaid(options, format), ...own, ...watched, ...meant, ...inEffect(options, format) };
}

const kindOf = (value: unknown): unknown => (isObject(value) ? value.kind : value);

/** `curvature` was the length of a step, which may be the inverse of no number: `$step` says it as it is. */
function outputSolverOf({ solver = 'dladmm', outputSolver }: Stored): Stored {
  if (solver !== 'dladmm' || kindOf(outputSolver) !== 'fista') return {};
  const { curvature: step = 4, ...settings } = isObject(outputSolver) ? outputSolver : { kind: 'fista' };
  const inverse = typeof step === 'number' ? 1 / step : Number.NaN;
  return { outputSolver: { ...settings, ...(1 / inverse === step ? { curvature: inverse } : { $step: step }) } };
}

/** What grows up to a cap was lowered to it, and ν to ρ. */
function scheduleOf({ solver = 'dladmm', schedule }: Stored): Stored {
  const kind = kindOf(schedule);
  if (solver !== 'dladmm' || (kind !== 'reference' && kind !== 'published')) return {};
  return { schedule: { ...(isObject(schedule) ? schedule : { kind }), $lowers: true } };
}

/** What options meant without saying it, before a format; the latest first, as what stood before an earlier one takes its place. */
const UNSAID: { readonly [solver: string]: readonly { readonly before: number; readonly said: Stored }[] } = {
  'minibatch-admm': [
    { before: 5, said: { trustRegion: 0.05 } },
    { before: 4, said: { factors: 'input' } },
    { before: 3, said: { polyak: 0, biasCorrection: false, trustRegion: 3e-3 } },
  ],
};

const unsaid = ({ solver }: Stored, format: number): Stored =>
  Object.assign({}, ...(under(solver, UNSAID) ?? []).filter(({ before }) => format < before).map(({ said }) => said));

/** What was in effect whatever options said, before a format: of counts there was no bound. */
const inEffect = ({ solver, loss }: Stored, format: number): Stored =>
  solver === 'minibatch-admm' && loss === 'poisson' && format < 5 ? { polyak: 0 } : {};

function renamed(options: Stored, names: typeof EARLIER_NAMES): Stored {
  const own = under(options.solver, names) ?? {};
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      under(name, own) ?? name,
      name === 'initialisation' ? earlierInitialisation(value) : value,
    ]),
  );
}

const ofFirstFormat = ({ outputSolver, ...options }: Stored): Stored =>
  renamed(
    { ...options, ...(outputSolver !== undefined && { outputSolver: earlierOutputSolver(outputSolver) }) },
    EARLIER_NAMES,
  );

/** One scheme had another name, and of sigmoid-ADMM a scheme alone stood for itself with the gain of the published code. */
function earlierInitialisation(value: unknown): unknown {
  const nameOf = (scheme: unknown): unknown => (scheme === 'xavier' ? 'glorot' : scheme);
  if (['msra', 'xavier', 'lecun', 'orthogonal'].includes(value as string)) return { scheme: nameOf(value), gain: 8 };
  return isObject(value) && 'scheme' in value ? { ...value, scheme: nameOf(value.scheme) } : value;
}

function earlierOutputSolver(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('solver' in value)) return value;
  // It became `curvature` without becoming one.
  const { solver: kind, step: curvature, ...settings } = value as { readonly solver: unknown; readonly step?: unknown };
  return { kind, ...settings, ...(curvature !== undefined && { curvature }) };
}
