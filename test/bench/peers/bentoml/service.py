"""BentoML with adaptive batching and its validators of shape and type."""

from typing import Annotated

import bentoml
import numpy
from bentoml.validators import DType, Shape

from savedmodel import INPUT_SHAPE, MAX_BATCH_SIZE, load

Rows = Annotated[numpy.ndarray, DType("float32"), Shape((-1, *INPUT_SHAPE))]


@bentoml.service(workers=1, traffic={"timeout": 30})
class Bench:
    def __init__(self) -> None:
        self.call = load()

    @bentoml.api(batchable=True, batch_dim=0, max_batch_size=MAX_BATCH_SIZE, max_latency_ms=1000)
    def predict(self, instances: Rows) -> numpy.ndarray:
        return self.call(instances)
