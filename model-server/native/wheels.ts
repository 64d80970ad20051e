/**
 * Which published wheels hold the TensorFlow library for a machine, pinned by version and hash.
 *
 * Wheels of the Python package are used because package registries and their mirrors carry them everywhere;
 * Python itself takes no part at run time. Pure.
 */

export const tensorflowVersion = '2.19.1';

export interface Wheel {
  /** Name and version as pip writes them, such as `tensorflow-cpu==2.19.1`. */
  readonly requirement: string;
  readonly sha256: string;
  /** pip's platform tag. */
  readonly platform: string;
  /** Rough download size in megabytes, only told to whoever waits. */
  readonly megabytes: number;
}

export interface Target {
  /** `process.arch` of the machine that will run the server. */
  readonly arch: string;
  /** With the CUDA build; it falls back to the CPU on a machine without a driver. */
  readonly gpu: boolean;
}

const cpuX64: Wheel = {
  requirement: `tensorflow-cpu==${tensorflowVersion}`,
  sha256: '0b6d72bd09c267e7573757bd309f5b1e2cdb02577339991da751f3a1411e4dae',
  platform: 'manylinux_2_17_x86_64',
  megabytes: 252,
};
const cpuArm64: Wheel = {
  requirement: `tensorflow==${tensorflowVersion}`,
  sha256: '22deedc251837f2382d2b287c705705cb089bfaf79b2274b78c08740e02bf188',
  platform: 'manylinux_2_17_aarch64',
  megabytes: 252,
};
const gpuX64: Wheel = {
  requirement: `tensorflow==${tensorflowVersion}`,
  sha256: '8e5524eb492160576e5eeea9bb472ddc653123503f2290f83123d5ac9545750e',
  platform: 'manylinux_2_17_x86_64',
  megabytes: 645,
};

/** NVIDIA's run-time libraries in the versions that this TensorFlow was built for (its extra `and-cuda`). */
const cuda: readonly Wheel[] = (
  [
    ['nvidia-cublas-cu12==12.5.3.2', 'ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b', 363],
    [
      'nvidia-cuda-cupti-cu12==12.5.82',
      'bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953',
      14,
    ],
    [
      'nvidia-cuda-nvcc-cu12==12.5.82',
      'b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0',
      22,
    ],
    [
      'nvidia-cuda-nvrtc-cu12==12.5.82',
      '3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd',
      25,
    ],
    [
      'nvidia-cuda-runtime-cu12==12.5.82',
      '3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115',
      1,
    ],
    ['nvidia-cudnn-cu12==9.3.0.75', '9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d', 577],
    ['nvidia-cufft-cu12==11.2.3.61', '9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8', 193],
    ['nvidia-curand-cu12==10.3.6.82', '2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536', 56],
    [
      'nvidia-cusolver-cu12==11.6.3.83',
      '93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b',
      130,
    ],
    [
      'nvidia-cusparse-cu12==12.5.1.3',
      '016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752',
      217,
    ],
    ['nvidia-nccl-cu12==2.23.4', 'b097258d9aab2fa9f686e33c6fe40ae57b27df60cedbd15d139701bb5509e0c1', 199],
    [
      'nvidia-nvjitlink-cu12==12.5.82',
      'f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212',
      21,
    ],
  ] as const
).map(([requirement, sha256, megabytes]) => ({
  requirement,
  sha256,
  megabytes,
  platform: 'manylinux2014_x86_64',
}));

/**
 * The wheels for a target, TensorFlow's own first.
 * @throws Error with a sentence for a target that has none.
 */
export function wheelsFor(target: Target): readonly Wheel[] {
  switch (`${target.arch}${target.gpu ? ' gpu' : ''}`) {
    case 'x64':
      return [cpuX64];
    case 'x64 gpu':
      return [gpuX64, ...cuda];
    case 'arm64':
      return [cpuArm64];
    default:
      throw new Error(
        `no TensorFlow ${tensorflowVersion} library is published for ${target.arch}${target.gpu ? ' with CUDA' : ''}; ` +
          'x64 (CPU or CUDA) and arm64 (CPU) Linux are supported',
      );
  }
}
