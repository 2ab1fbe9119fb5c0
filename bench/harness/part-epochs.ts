import { type AnySolver, SAMPLE_SOLVERS, type StepSession } from 'dladmm/solvers';

type Steps = Pick<StepSession<never>, 'run' | 'stepsPerEpoch'>;
type PerEpoch = (stepsPerEpoch: number) => number;
/** What a plan tells of the learning rate, for epochs of so many steps. */
interface Paced {
  readonly stepFor: (stepsPerEpoch: number) => unknown;
}

/** A solver whose iterations are so many steps, of those that an epoch has; its schedules fall over iterations in place of epochs. */
export function iterationsOf(name: string, stepsOf: PerEpoch): AnySolver {
  const solver = SAMPLE_SOLVERS.find((each) => each.name === name) as AnySolver;
  const course: typeof solver.splitting.course = async (plan, ...given) => {
    const { stepFor } = plan as unknown as Paced;
    const paced = { ...(plan as object), stepFor: (perEpoch: number) => stepFor(stepsOf(perEpoch)) };
    const found = await solver.splitting.course(paced as unknown as typeof plan, ...given);
    const session = found.session as unknown as Steps & { run: Steps['run'] };
    const run = session.run.bind(session);
    session.run = (count = stepsOf(session.stepsPerEpoch), ...rate) => run(count, ...rate);
    return found;
  };
  return { ...solver, name: `${name}-in-parts`, splitting: { ...solver.splitting, course } };
}

/** A solver whose iterations are so many parts of an epoch, for a look at the network after each. */
export const inParts = (name: string, looks: number): AnySolver =>
  iterationsOf(name, (steps) => Math.ceil(steps / looks));
