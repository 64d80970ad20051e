/** Models as Keras exports them, with constants as the server makes them, and with their variables. */
import { fileURLToPath } from 'node:url';
import { VARIABLES } from './chapters.ts';
import { compareEngines, type LoopModel } from './engines.ts';
import type { Row } from './result.ts';
import type { Settings } from './side-by-side.ts';

export const exportedFolder = fileURLToPath(new URL('../fixtures/models/variables', import.meta.url));

export const exportedModels: readonly LoopModel[] = [
  {
    ...{ name: 'images', what: 'three separable convolutions with normalisation, 16×16×3', input: 'image' },
    tensor: (rows) => ({
      ...{ datatype: 'FP32', shape: [rows, 16, 16, 3] },
      data: Float32Array.from({ length: rows * 768 }, (_, at) => Math.sin(at)),
    }),
  },
  {
    ...{ name: 'sequences', what: 'embedding and LSTM, 6 steps', input: 'words' },
    tensor: (rows) => ({
      ...{ datatype: 'INT32', shape: [rows, 6] },
      data: Int32Array.from({ length: rows * 6 }, (_, at) => at % 20),
    }),
  },
];

export function measureVariables(settings: Settings): Promise<Row[]> {
  const what = { folder: exportedFolder, models: exportedModels, prefix: VARIABLES };
  return compareEngines(what, { 'with variables': { variables: 'Kept' } }, settings);
}
