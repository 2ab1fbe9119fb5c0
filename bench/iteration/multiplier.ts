/** Measures matrix products; a process of its own, because their operands are as large as a training. */
import { native } from '#native';
import { answer } from './child.js';
import { WAYS } from './floor.js';
import type { FloorReply, FloorRequest } from './messages.js';

answer<FloorRequest, FloorReply>((request) => ({
  seconds: Object.fromEntries(
    WAYS.map((way) => [way, native.productSeconds({ ...request, way, repeats: 2 })]),
  ) as FloorReply['seconds'],
}));
