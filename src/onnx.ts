/**
 * Networks from elsewhere and for elsewhere: ONNX, and the state dicts of PyTorch.
 *
 * @packageDocumentation
 */
import './training/methods.js';

export { encodeOnnx as exportOnnx, type OnnxOptions, type OnnxParts } from './model/onnx/export.js';
export { type ImportOptions, importOnnx } from './model/onnx/import.js';
export { importStateDict, type StateDictOptions } from './model/state-dict.js';
