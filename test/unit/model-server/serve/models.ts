/** Small real models, written by hand. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Dense {
  /** Numbers per row of the input `dense_input`, `[-1,width]`. */
  width: number;
  /** Numbers per row after each layer; default: one layer that gives one number. */
  units?: readonly number[];
  /** Every weight: with one layer each output number is the sum of the row times this. */
  scale: number;
}

/** A TensorFlow.js layers model of dense layers without bias or activation. */
export async function writeDenseModel(
  directory: string,
  { width, units = [1], scale }: Dense,
): Promise<void> {
  const sizes = units.map((size, index) => [units[index - 1] ?? width, size] as const);
  const nameOf = (index: number) => (index === 0 ? 'dense' : `dense_${index}`);
  const layers = sizes.map(([from, size], index) => ({
    class_name: 'Dense',
    config: {
      ...{ name: nameOf(index), units: size, activation: 'linear', use_bias: false, dtype: 'float32' },
      ...(index === 0 ? { batch_input_shape: [null, from] } : {}),
      kernel_initializer: { class_name: 'Zeros', config: {} },
    },
  }));
  const model = {
    format: 'layers-model',
    modelTopology: {
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
      model_config: { class_name: 'Sequential', config: { name: 'sum', layers } },
    },
    weightsManifest: [
      {
        paths: ['weights.bin'],
        weights: sizes.map((shape, index) => ({ name: `${nameOf(index)}/kernel`, shape, dtype: 'float32' })),
      },
    ],
  };
  await mkdir(directory, { recursive: true });
  const weights = new Float32Array(sizes.reduce((sum, [from, size]) => sum + from * size, 0)).fill(scale);
  // The weights first: whoever sees model.json finds a whole model.
  await writeFile(join(directory, 'weights.bin'), Buffer.from(weights.buffer));
  await writeFile(join(directory, 'model.json'), JSON.stringify(model));
}
