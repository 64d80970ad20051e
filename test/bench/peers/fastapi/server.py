"""FastAPI by hand: two workers on uvloop, JSON by orjson, the model called on the event loop."""

import numpy
import orjson
from fastapi import FastAPI, Request, Response

from savedmodel import INPUT_SHAPE, load, settle

call = load(threads=1)
app = FastAPI(on_startup=[settle])


@app.post("/predict")
async def predict(request: Request) -> Response:
    body = orjson.loads(await request.body())
    outputs = call(numpy.asarray(body["instances"], numpy.float32))
    return Response(orjson.dumps({"predictions": outputs.tolist()}), media_type="application/json")


@app.post("/predict-raw")
async def predict_raw(request: Request) -> Response:
    """Rows of float32 in the machine's order, in both directions."""
    rows = numpy.frombuffer(await request.body(), numpy.float32).reshape(-1, *INPUT_SHAPE)
    return Response(call(rows).tobytes(), media_type="application/octet-stream")
