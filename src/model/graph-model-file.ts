/**
 * Trained graph convolutional networks as files: safetensors with the tensors `0.weight`, `1.weight`, …, W_l being
 * n_{l−1} × n_l, and the network itself as JSON in the metadata `network`, where `kind` is `gcn`.
 */

import { DlAdmmError } from '../core/errors.js';
import { readWholeFile, writeFileAtomic } from '../formats/atomic-file.js';
import { decodeSafetensors, encodeSafetensors } from '../formats/safetensors.js';
import { classCount } from '../network/network.js';
import {
  checkClasses,
  checkDtype,
  checkedActivation,
  checkedArray,
  checkedNotes,
  checkLayers,
  checkLoss,
  GRAPH_KIND,
  NETWORK,
  parseNetwork,
  readNotes,
  refusalIn,
  refuseArgument,
  type StoredModel,
  storedActivation,
  storedArray,
  tensor,
} from './model-file.js';

/** A trained graph convolutional network; `weights[l − 1]` is W_l, n_{l−1} × n_l row-major. */
export type StoredGraphModel = Omit<StoredModel, 'biases'>;

const tensorName = (l: number): string => `${l - 1}.weight`;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE */
export function encodeGraphModel(model: StoredGraphModel): Uint8Array {
  const layers = checkLayers(model.layers, refuseArgument);
  const dtype = checkDtype(model.dtype, refuseArgument);
  const loss = checkLoss(model.loss, refuseArgument);
  const outputs = layers.at(-1) ?? 0;
  const network = {
    format: 1,
    kind: GRAPH_KIND,
    layers,
    activation: checkedActivation(model.activation),
    loss,
    dtype,
    ...(model.classes && { classes: checkClasses(model.classes, classCount(loss, outputs), refuseArgument) }),
  };
  const tensors = layers.slice(1).map((columns, i) => {
    const rows = layers[i] ?? 0;
    const data = checkedArray(model.weights, { name: 'weights', l: i + 1, dtype, rows, columns });
    return [tensorName(i + 1), tensor([rows, columns], data)] as const;
  });
  return encodeSafetensors(
    new Map(tensors),
    Object.fromEntries([[NETWORK, JSON.stringify(network)], ...checkedNotes(model.note)]),
  );
}

/** @throws DlAdmmError as {@link encodeGraphModel}, and ERR_DLADMM_FILE */
export async function saveGraphModel(path: string, model: StoredGraphModel): Promise<void> {
  await writeFileAtomic(path, encodeGraphModel(model));
}

/** @throws DlAdmmError ERR_DLADMM_FORMAT, ERR_DLADMM_NON_FINITE */
export function decodeGraphModel(bytes: Uint8Array, name: string): StoredGraphModel {
  const { tensors, metadata } = decodeSafetensors(bytes, name);
  const refuse = refusalIn(name);
  const note = readNotes(metadata, refuse);
  const {
    format: _,
    kind,
    layers,
    activation,
    loss,
    dtype,
    classes,
    ...unknown
  } = parseNetwork(metadata[NETWORK], name, refuse);
  if (kind === undefined) {
    throw new DlAdmmError('ERR_DLADMM_FORMAT', `${name} holds a multilayer perceptron: load it with Model`);
  }
  if (kind !== GRAPH_KIND) throw refuse(GRAPH_KIND, 'kind', kind);
  const [extra] = Object.keys(unknown);
  if (extra !== undefined) throw refuse('no field of that name', 'a field of the network', extra);
  const widths = checkLayers(layers, refuse);
  const storedLoss = checkLoss(loss, refuse);
  const type = checkDtype(dtype, refuse);
  const count = widths.length - 1;
  if (tensors.size !== count) throw refuse(`${count}, one a layer`, 'the number of tensors', tensors.size);
  const weights = widths.slice(1).map((columns, i) => {
    const shape = [widths[i] ?? 0, columns];
    return storedArray(tensors, tensorName(i + 1), { dtype: type, shape, name });
  });
  return {
    layers: widths,
    activation: storedActivation(activation, refuse),
    loss: storedLoss,
    dtype: type,
    weights,
    ...(classes !== undefined && {
      classes: checkClasses(classes, classCount(storedLoss, widths.at(-1) ?? 0), refuse),
    }),
    ...(note && { note }),
  };
}

/** @throws DlAdmmError as {@link decodeGraphModel}, and ERR_DLADMM_FILE, ERR_DLADMM_MEMORY */
export async function loadGraphModelFile(path: string): Promise<StoredGraphModel> {
  return decodeGraphModel(await readWholeFile(path), path);
}
