"""Ray Serve with one replica and joined requests; its proxy has the other core."""

import os
import time

os.environ["RAY_SERVE_THROUGHPUT_OPTIMIZED"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import numpy
import orjson
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from savedmodel import MAX_BATCH_SIZE, PORT, load, run_joined


@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=4 * MAX_BATCH_SIZE,
    ray_actor_options={"num_cpus": 1},
    logging_config={"enable_access_log": False},
)
class Bench:
    def __init__(self):
        self.call = load()

    @serve.batch(max_batch_size=MAX_BATCH_SIZE, batch_wait_timeout_s=0.002)
    async def run(self, inputs):
        return run_joined(self.call, inputs)

    async def __call__(self, request: Request) -> Response:
        body = orjson.loads(await request.body())
        outputs = await self.run(numpy.asarray(body["instances"], numpy.float32))
        return Response(orjson.dumps({"predictions": outputs.tolist()}), media_type="application/json")


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, _temp_dir=os.environ["TMPDIR"], logging_level="error")
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Bench.bind(), route_prefix="/predict", logging_config={"enable_access_log": False})
    while True:
        time.sleep(3600)
