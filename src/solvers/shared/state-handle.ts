import { oneOf, whole } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import {
  BLOCK_NUMBER,
  type Dtype,
  fromNative,
  type NativeNetworkOptions,
  type NativeState,
  type Numbers,
} from '../../core/native.js';
import { type Metrics, metricsOf } from '../../network/metrics.js';
import type { Network } from '../../network/network.js';
import { checkNumbers } from '../../network/parameters.js';
import { checkMemory, type LabelledSamples, loadSamples, samplesOf, TRAINING_SET } from '../../samples/samples.js';

/** A class of the addon whose objects are states. */
interface NativeStateClass<N extends NativeState, O> {
  new (options: O): N;
  requiredBytes(options: O): number;
}

/**
 * What the states of all splittings have in common: native memory with a training set in it, evaluation sets beside it,
 * errors with codes, an end.
 */
export class StateHandle<N extends NativeState> {
  readonly native: N;
  readonly network: Network;
  readonly samples: number;
  readonly #sizes: number[] = [];
  #closed = false;

  private constructor(native: N, network: Network, samples: number) {
    this.native = native;
    this.network = network;
    this.samples = samples;
  }

  /**
   * Allocates a state and copies the training samples in.
   *
   * @throws DlAdmmError ERR_DLADMM_MEMORY before anything is allocated, if it would not fit; ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the samples
   */
  static async open<N extends NativeState, O extends NativeNetworkOptions>(
    State: NativeStateClass<N, O>,
    network: Network,
    optionsFor: (samples: number) => O,
    data: LabelledSamples,
    name: string,
  ): Promise<StateHandle<N>> {
    const { source, targets } = samplesOf(network, data, name);
    const options = optionsFor(source.rows);
    let handle: StateHandle<N> | undefined;
    try {
      checkMemory(State.requiredBytes(options), source.rows, network, options.dtype);
      handle = new StateHandle(new State(options), network, source.rows);
      await loadSamples(handle.native, TRAINING_SET, source, targets);
      return handle;
    } catch (error) {
      handle?.close();
      throw fromNative(error);
    }
  }

  /** Copies samples to be evaluated on; answers with their number. */
  addEvaluationSet(data: LabelledSamples, name: string): Promise<number> {
    return this.call(async () => {
      const { source, targets } = samplesOf(this.network, data, name);
      const set = this.native.addEvaluationSet(source.rows);
      this.#sizes[set] = source.rows;
      await loadSamples(this.native, set, source, targets);
      return set;
    });
  }

  /** Loss and accuracy of the network on an evaluation set, or on the training set. */
  evaluate(set: number | 'train'): Promise<Metrics> {
    return this.call(async () => {
      const count = set === 'train' ? this.samples : this.#sizes[set];
      if (count === undefined) throw expected('the number of an evaluation set', 'set', set);
      const found = await this.native.evaluate(set === 'train' ? TRAINING_SET : set);
      return metricsOf(this.network, found, count);
    });
  }

  /** A copy of W_l or b_l, row-major; for the states that have no other blocks. */
  readParameter(block: 'W' | 'b', layer: number): Promise<Numbers> {
    return this.call(async () => {
      this.checkParameter(block, layer);
      return await this.native.read(BLOCK_NUMBER[block], layer);
    });
  }

  /** Replaces W_l or b_l. */
  writeParameter(block: 'W' | 'b', layer: number, values: Numbers, dtype: Dtype): Promise<void> {
    return this.call(async () => {
      this.checkParameter(block, layer);
      const { layers } = this.network;
      const width = layers[layer] ?? 0;
      checkNumbers(values, block === 'W' ? width * (layers[layer - 1] ?? 0) : width, dtype, 'values');
      await this.native.write(BLOCK_NUMBER[block], layer, values);
    });
  }

  /** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE unless that is W or b of a layer that there is */
  checkParameter(block: unknown, layer: unknown): void {
    oneOf(block, ['W', 'b'], 'block');
    whole(layer, 1, this.network.layers.length - 1, 'layer');
  }

  /** Does the work; an error of the addon leaves as a DlAdmmError. */
  async call<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      throw fromNative(error);
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    this.native.close();
  }
}
