/**
 * Networks from elsewhere and for elsewhere: ONNX, and the state dicts of PyTorch.
 *
 * @packageDocumentation
 */
import './training/methods.js';

export { encodeOnnx as exportOnnx, type OnnxParts } from './model/onnx/export.js';
export { importOnnx } from './model/onnx/import.js';
export type { ImportOptions, OnnxOptions, StateDictOptions } from './model/options.js';
export { importStateDict } from './model/state-dict.js';
