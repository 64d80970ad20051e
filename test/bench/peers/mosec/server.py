"""mosec: HTTP and batching in Rust, one Python process per core for JSON and model."""

import numpy
import orjson
from mosec import Server, Worker

from savedmodel import INPUT_SHAPE, MAX_BATCH_SIZE, load, run_joined

WORKERS = 2
MAX_WAIT_MILLISECONDS = 5


class Model(Worker):
    """Takes JSON, or four zero bytes and rows of float32 in the machine's order; answers the few scores as JSON."""

    def __init__(self):
        super().__init__()
        self.call = load(threads=1)

    def deserialize(self, data):
        if data[:4] == bytes(4):
            return numpy.frombuffer(data, numpy.float32, offset=4).reshape(-1, *INPUT_SHAPE)
        return numpy.asarray(orjson.loads(data)["instances"], numpy.float32)

    def forward(self, data):
        return run_joined(self.call, data)

    def serialize(self, data):
        return orjson.dumps({"predictions": data.tolist()})


if __name__ == "__main__":
    server = Server()
    server.append_worker(
        Model, num=WORKERS, max_batch_size=MAX_BATCH_SIZE, max_wait_time=MAX_WAIT_MILLISECONDS
    )
    server.run()
