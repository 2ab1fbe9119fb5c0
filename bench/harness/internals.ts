/** What of the package's inside the benchmarks need, by its place beside them in `dist`. */
export { didYouMean } from '../../core/checks.js';
export { messageOf } from '../../core/errors.js';
export { availableThreads } from '../../core/info.js';
export { native } from '../../core/native.js';
export { spread } from '../../core/random.js';
export { ranksHere } from '../../core/ranks.js';
export { readFrame } from '../../datasets/frame-file.js';
export { checkWritable, writeFileAtomic } from '../../formats/atomic-file.js';
export { readNpy } from '../../formats/npy.js';
export { frameOf } from '../../samples/framing.js';
export { learnStandardisation, standardise } from '../../samples/standardise.js';
export { automatic, type Facts } from '../../solvers/auto.js';
