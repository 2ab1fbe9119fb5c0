import { startChild } from '../harness/child.js';
import type { FloorReply, FloorRequest } from './products.js';
import type { TrainerRequest } from './trainer.js';

/** A trainer and the multiplier in processes of their own take turns, so that a drift of the machine's speed meets both. */
export async function byTurns<Reply>(begin: TrainerRequest, floor: FloorRequest, rounds: number) {
  using trainer = startChild<TrainerRequest | 'next', Reply>('floor/trainer');
  using multiplier = startChild<FloorRequest, FloorReply>('floor/multiplier');
  const replies: Reply[] = [];
  const floors: FloorReply[] = [];
  await trainer.ask(begin);
  for (let round = 0; round < rounds; round += 1) {
    replies.push(await trainer.ask('next'));
    floors.push(await multiplier.ask(floor));
  }
  return { replies, floors };
}
