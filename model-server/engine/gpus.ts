/** The add-on `aicity_gpus` (`native/gpus.cc`): NVIDIA's GPUs as their driver sees them. */
import { loadAddon } from './native-package.ts';

/** A GPU that the process may see, or a slice of one. */
export interface Gpu {
  readonly uuid: string;
  /** Of the product, such as `NVIDIA A100-SXM4-80GB MIG 1g.10gb`. */
  readonly name: string;
  readonly memoryBytes: number;
  /** By all processes. */
  readonly memoryUsedBytes: number;
  /** Share of the last moments in which it computed, 0 to 1; the driver does not tell it of slices. */
  readonly utilization: number | null;
}

/** Off the event loop. None where there is no driver, or where the add-on has not been built. */
export async function readGpus(): Promise<readonly Gpu[]> {
  try {
    return await loadAddon<{ read(): Promise<Gpu[]> }>('aicity_gpus').read();
  } catch {
    return [];
  }
}
