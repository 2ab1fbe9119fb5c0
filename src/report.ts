/**
 * A training as a page that people look at.
 *
 * @packageDocumentation
 */
export { lipschitzBound } from './model/lipschitz.js';
export { type Followable, type FollowOptions, type Live, type LiveOptions, live } from './report/live.js';
export { type PageOptions, report, type Trained } from './report/page-of-training.js';
export { traceEvents, traceLines } from './report/trace.js';
