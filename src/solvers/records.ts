import type { GraphRecord } from './dladmm-gcn/splitting.js';
import type { EpochRecord } from './shared/record.js';
import type { IterationRecord } from './shared/splittings/layered.js';
import type { SigmoidRecord } from './sigmoid/splitting.js';
import type { MetricRecord } from './variable-metric/splitting.js';

/** The record of any solver. */
export type AnyRecord = IterationRecord | SigmoidRecord | MetricRecord | EpochRecord | GraphRecord;
