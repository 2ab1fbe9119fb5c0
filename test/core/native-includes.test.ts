/** The rooms of native/: which file may include which. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { faultOf, faultsIn } from '../../scripts/lint/native-includes.mjs';

test('the sources keep to them', () => {
  expect(faultsIn(fileURLToPath(new URL('../../native', import.meta.url)))).toEqual([]);
});

test.each([
  ['core/layered/state.cc', 'core/splitting/sweep.hpp'],
  ['core/splitting/output_layer.hpp', 'core/functions/loss.hpp'],
  ['core/linalg/sums.hpp', 'core/runtime/team.hpp'],
  ['core/serving/served_network.cc', 'core/linalg/packed.hpp'],
  ['addon/layered.cc', 'core/layered/state.hpp'],
])('%s may include %s', (file, included) => expect(faultOf(file, included)).toBeUndefined());

test.each([
  ['core/runtime/team.hpp', 'core/linalg/matrix.hpp', 'upwards'],
  ['core/functions/loss.cc', 'core/splitting/sweep.hpp', 'upwards'],
  ['core/graph/state.cc', 'core/layered/types.hpp', 'sideways'],
  ['core/consensus/trainer.cc', 'core/minibatch/state.hpp', 'sideways'],
  ['core/storage/hash.cc', 'core/functions/loss.hpp', 'past what it stands on'],
  ['core/layered/state.cc', 'addon/errors.hpp', 'the addon'],
  ['core/somewhere/new.cc', 'core/linalg/matrix.hpp', 'a room that is not listed'],
  ['addon/layered.cc', 'core/layered/kernels.hpp', 'what is private'],
])('%s must not include %s: %s', (file, included) => expect(faultOf(file, included)).toBeDefined());
