// A solver of one's own: dlADMM that only goes forward.
import { defineSolver, forward, SAMPLE_SOLVERS } from 'dladmm/solvers';

const dladmm = SAMPLE_SOLVERS.find(({ name }) => name === 'dladmm');

export default defineSolver({
  ...dladmm,
  name: 'forward-only',
  title: 'dlADMM without its backward half',
  plan: (own, common) => dladmm.plan({ ...own, sweep: [...forward(common.network.layers.length - 1)] }, common),
});
