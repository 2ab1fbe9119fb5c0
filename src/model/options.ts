/** How models are exchanged with other tools. */
import { flag, type OptionsOf, option, type Schema, whole, word } from '../network/schema.js';
import { ACTIVATION, LOSS, NAMES } from '../network/values.js';

/** How a model is written. */
export const ONNX = {
  output: word(['probabilities', 'outputs'], {
    default: 'probabilities',
    says: 'What a network with probabilities gives: these, or the values that they are made of.',
  }),
  opset: whole(
    13,
    {
      default: 26,
      says: 'The operator set that the file names, at most 26: what is used means the same in all; a lower one lets older readers in.',
    },
    26,
  ),
  encoders: flag({
    otherwise: 'where a column is more than one number; where they cannot be, a warning (DLADMM_ENCODERS)',
    says: 'Of a model with columns: whether the graph begins with their encoders, an input for each column, by its name; else its input x is the encoded row.',
  }),
} as const satisfies Schema;

/** How a model is written. */
export type OnnxOptions = OptionsOf<typeof ONNX>;

/** What a file that comes from elsewhere does not say. */
export const IMPORT = {
  loss: option(LOSS, {
    otherwise:
      'what the file says by a softmax at its end, or where dladmm wrote it; softmax-cross-entropy of a state dict',
    says: 'What training goes on with.',
  }),
  classes: option(NAMES, { otherwise: 'those of the file, if it has any', says: 'The names of the classes.' }),
  dtype: word(['float32', 'float64'], {
    otherwise: 'float64 where the file has any, else float32',
    says: 'The type of every number.',
  }),
} as const satisfies Schema;

/** What a file that comes from elsewhere does not say. */
export type ImportOptions = OptionsOf<typeof IMPORT>;

/** What a state dict does not say. */
export const STATE_DICT = {
  ...IMPORT,
  loss: option(LOSS, { default: 'softmax-cross-entropy', says: 'What training goes on with.' }),
  activation: option(ACTIVATION, { default: 'relu', says: 'f_l of the hidden layers.' }),
  order: option(NAMES, {
    otherwise:
      'by the numbers in their names and their widths; where these leave a choice that of the file, if not of the alphabet',
    says: "The names of the layers, such as ['fc1', 'fc2'], inputs first.",
  }),
} as const satisfies Schema;

/** What a state dict does not say. */
export type StateDictOptions = OptionsOf<typeof STATE_DICT>;
