"""KServe's Python SDK: its inference clients for V1, V2 and gRPC, and the types of its forecast API."""

import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.rest.timeseries.types import ForecastRequest, ForecastResponse

MODEL = "half_plus_two"
Y = [2.5, 3.0, 4.5]


def request(binary=None, raw=True) -> InferRequest:
    tensor = InferInput("x", [3], "FP32")
    values = np.array([1.0, 2.0, 5.0], np.float32)
    if binary is None:
        tensor.data = values.tolist()
    else:
        tensor.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model_name=MODEL, infer_inputs=[tensor], request_id="one")


async def check_v1(server):
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    assert await client.is_model_ready(server.url, MODEL)
    answer = await client.infer(server.url, {"instances": [1.0, 2.0, 5.0]}, model_name=MODEL)
    assert answer["predictions"] == Y


async def check_v2(server):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(server.url) and await client.is_server_ready(server.url)
    assert await client.is_model_ready(server.url, MODEL)
    assert not await client.is_model_ready(server.url, "other")
    for binary in (None, False, True):
        answer = await client.infer(server.url, request(binary), model_name=MODEL)
        assert answer.id == "one" and answer.outputs[0].as_numpy().tolist() == Y


async def check_v2_refusals(server):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    try:
        await client.infer(server.url, request(), model_name="other")
    except httpx.HTTPStatusError as error:
        assert error.response.status_code == 404, error
    else:
        raise AssertionError("it was not refused")


async def check_grpc(server):
    client = InferenceGRPCClient(url=server.grpc)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready(MODEL)
    for binary in (None, False, True):
        answer = await client.infer(request(binary))
        assert answer.id == "one" and answer.outputs[0].as_numpy().tolist() == Y
    await client.close()


def check_forecast(server):
    asked = ForecastRequest.model_validate(
        {
            "model": "seasonal",
            "inputs": [
                {
                    "type": "univariate_time_series",
                    "name": "flow",
                    "series": [float(hour) for hour in range(24)],
                    "frequency": "H",
                    "start_timestamp": "2026-01-01T00:00:00",
                }
            ],
            "options": {"horizon": 3, "quantiles": [0.1, 0.9]},
        }
    )
    answer = httpx.post(f"{server.url}/v1/timeseries/forecast", content=asked.model_dump_json())
    forecast = ForecastResponse.model_validate(answer.json()).outputs[0].content[0]
    assert forecast.mean_forecast == [0.0, 1.0, 2.0]
    assert forecast.start_timestamp == "2026-01-02T00:00:00"
    assert np.allclose(forecast.quantiles["0.9"], [0.0, 1.2, 2.4])
    assert httpx.get(f"{server.url}/v1/timeseries/models").json() == ["seasonal"]
