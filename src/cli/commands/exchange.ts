import { refused } from '../../core/errors.js';
import { readWholeFile, writeFileAtomic } from '../../formats/atomic-file.js';
import { Model } from '../../model/model.js';
import { MODEL } from '../../model/model-file.js';
import { onnxModel } from '../../model/onnx/import.js';
import { IMPORT, ONNX, type OnnxOptions, STATE_DICT, type StateDictOptions } from '../../model/options.js';
import { stateDictModel } from '../../model/state-dict.js';
import type { Activation, Loss } from '../../network/network.js';
import { pick } from '../../network/schema.js';
import { checkTarget } from '../samples.js';
import type { Terminal } from '../terminal.js';

export interface ExportFlags extends OnnxOptions {
  readonly model: string;
  /** The ONNX file. */
  readonly to: string;
}

export interface ImportFlags extends StateDictOptions {
  readonly file: string;
  /** The model file. */
  readonly to: string;
}

const activationText = (activation: Activation): string =>
  typeof activation === 'string'
    ? activation
    : 'elu' in activation
      ? `elu:${activation.elu}`
      : `leaky-relu:${activation.leakyRelu}`;

const networkText = ({ network: { layers, activation, loss } }: Model): string =>
  `${layers.join('-')}, ${activationText(activation)}, ${loss}`;

export async function exportCommand({ model: file, to, ...flags }: ExportFlags, terminal: Terminal): Promise<number> {
  await checkTarget(to, [file]);
  using model = await Model.load(file);
  await writeFileAtomic(to, model.toOnnx(pick(ONNX, flags)));
  await terminal.out(`${networkText(model)} written to ${to}\n`);
  return 0;
}

/** A safetensors file begins with the length of its header in eight bytes, and a header with a brace. */
function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 9 || bytes[8] !== 0x7b) return false;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return length <= BigInt(bytes.length - 8);
}

function imported(bytes: Uint8Array, { file, ...flags }: ImportFlags): Model {
  if (isSafetensors(bytes)) return stateDictModel(bytes, file, pick(STATE_DICT, flags));
  const { activation, order } = flags;
  const [odd] = Object.entries({ activation, order }).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (odd === undefined) return onnxModel(bytes, file, pick(IMPORT, flags));
  throw refused(`Expected no --${odd} with ${file}: it is for state dicts`);
}

export async function importCommand(flags: ImportFlags, terminal: Terminal): Promise<number> {
  const { file, to } = flags;
  await checkTarget(to, [file], MODEL);
  using model = imported(await readWholeFile(file), flags);
  await model.save(to, { source: file });
  await terminal.out(`${networkText(model)} written to ${to}\n`);
  return 0;
}

/** What `dladmm train --from` takes over from a model. */
export interface Beginning {
  readonly model: Model;
  readonly layers: readonly number[];
  readonly activation: Activation;
  readonly loss?: Loss;
}

/** The network that a training goes on from; nothing without a file. */
export async function beginningOf(file: string | undefined): Promise<Partial<Beginning>> {
  if (file === undefined) return {};
  const model = await Model.load(file);
  const { layers, activation, loss } = model.network;
  return { model, layers, activation, loss };
}
