/**
 * A training as a page that people look at.
 *
 * @packageDocumentation
 */
export { type PageOptions, report, type Trained } from './report/page-of-training.js';
