/** How runs use the cores: as the server chooses, and each way by itself. */
import { join } from 'node:path';
import { WAYS } from './chapters.ts';
import { compareEngines } from './engines.ts';
import { benchModels, writeBenchModel } from './models.ts';
import { valuesOf } from './requests.ts';
import type { Row } from './result.ts';
import type { Settings } from './side-by-side.ts';
import { exportedFolder, exportedModels } from './variables.ts';

/** @param directory for the model that is made here. */
export async function measureWays(directory: string, settings: Settings): Promise<Row[]> {
  const [image] = benchModels as [(typeof benchModels)[number]];
  await writeBenchModel(join(directory, image.name), image);
  const loop = {
    ...{ name: image.name, what: 'two convolutions, 32×32×3', input: 'x' },
    tensor: (rows: number) =>
      ({ datatype: 'FP32', shape: [rows, ...image.inputShape], data: valuesOf(image, rows) }) as const,
  };
  const ways = {
    'one thread': { way: 'OneThread' },
    'rows dealt out': { way: 'Divided' },
    'all threads': { way: 'Wide' },
  } as const;
  return [
    ...(await compareEngines({ folder: directory, models: [loop], prefix: WAYS }, ways, settings)),
    ...(await compareEngines(
      { folder: exportedFolder, models: exportedModels, prefix: WAYS },
      ways,
      settings,
    )),
  ];
}
