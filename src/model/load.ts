import { readWholeFile } from '../formats/atomic-file.js';
import { reader } from '../formats/reader.js';
import { GraphModel } from './graph-model.js';
import { Model } from './model.js';
import { decodeModel } from './model-file.js';

/**
 * Reads a model file of either kind, checking every byte; `kind` of what it answers with tells which it is.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT, ERR_DLADMM_NON_FINITE, ERR_DLADMM_MEMORY
 */
export const loadModel = reader(async (path: string): Promise<Model | GraphModel> => {
  const parts = decodeModel(await readWholeFile(path), path);
  return parts.kind === 'gcn' ? new GraphModel(parts) : new Model(parts);
}, 'safetensors');
