"""PyTriton: NVIDIA's Triton binary in front, the model in Python behind it, with Triton's dynamic batcher."""

import os
import sysconfig

import numpy
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from savedmodel import INPUT_SHAPE, MAX_BATCH_SIZE, OUTPUT_SIZE, PORT, load

call = load()


@batch
def infer(x):
    return {"y": call(x)}


if __name__ == "__main__":
    # Triton's Python backend finds the library of this very Python, and not of another that the system has.
    os.environ["LD_LIBRARY_PATH"] = sysconfig.get_config_var("LIBDIR")
    config = TritonConfig(
        http_address="127.0.0.1", http_port=PORT, allow_grpc=False, allow_metrics=False, log_verbose=0
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="bench",
            infer_func=infer,
            inputs=[Tensor(name="x", dtype=numpy.float32, shape=INPUT_SHAPE)],
            outputs=[Tensor(name="y", dtype=numpy.float32, shape=(OUTPUT_SIZE,))],
            config=ModelConfig(
                max_batch_size=MAX_BATCH_SIZE, batcher=DynamicBatcher(max_queue_delay_microseconds=0)
            ),
        )
        triton.serve()
