import { type AnySolver, SAMPLE_SOLVERS, type StepSession } from 'dladmm/solvers';

type Steps = Pick<StepSession<never>, 'run' | 'stepsPerEpoch'>;

/**
 * A solver whose iterations are so many parts of an epoch, for a look at the network after each. Learning rates must be functions of the step, as
 * one that falls over all epochs would take the parts for epochs.
 */
export function inParts(name: string, looks: number): AnySolver {
  const solver = SAMPLE_SOLVERS.find((each) => each.name === name) as AnySolver;
  const course: typeof solver.splitting.course = async (...given) => {
    const found = await solver.splitting.course(...given);
    const session = found.session as unknown as Steps & { run: Steps['run'] };
    const run = session.run.bind(session);
    session.run = (count = Math.ceil(session.stepsPerEpoch / looks), ...rate) => run(count, ...rate);
    return found;
  };
  return { ...solver, splitting: { ...solver.splitting, course } };
}
