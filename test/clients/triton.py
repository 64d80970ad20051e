"""NVIDIA's tritonclient, http and grpc."""

import queue

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

MODEL = "half_plus_two"
X = np.array([1.0, 2.0, 5.0], np.float32)
Y = [2.5, 3.0, 4.5]


def refused(call, *expected):
    try:
        call()
    except InferenceServerException as error:
        for text in expected:
            assert text in str(error), str(error)
        return
    raise AssertionError("it was not refused")


def input_of(api, values, **options):
    tensor = api.InferInput("x", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values, **options)
    return tensor


def check_http_health(server):
    client = http.InferenceServerClient(server.http)
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "123")
    assert not client.is_model_ready("other") and not client.is_model_ready(MODEL, "7")


def check_http_metadata(server):
    client = http.InferenceServerClient(server.http)
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(MODEL)
    assert metadata["platform"] == "tensorflow_savedmodel" and metadata["versions"] == ["123"]
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1]}]


def check_http_binary_tensors(server):
    client = http.InferenceServerClient(server.http)
    inputs = [input_of(http, X, binary_data=True)]
    for outputs in (None, [http.InferRequestedOutput("y", binary_data=True)]):
        result = client.infer(MODEL, inputs, outputs=outputs, request_id="one")
        assert result.as_numpy("y").tolist() == Y and result.get_response()["id"] == "one"


def check_http_json_tensors(server):
    client = http.InferenceServerClient(server.http)
    outputs = [http.InferRequestedOutput("y", binary_data=False)]
    result = client.infer(MODEL, [input_of(http, X, binary_data=False)], outputs=outputs, model_version="123")
    assert result.as_numpy("y").tolist() == Y


def check_http_large_tensor(server):
    values = np.arange(1_000_000, dtype=np.float32)
    result = http.InferenceServerClient(server.http).infer(MODEL, [input_of(http, values)])
    assert np.array_equal(result.as_numpy("y"), values / 2 + 2)


def check_http_many_at_once(server):
    client = http.InferenceServerClient(server.http, concurrency=16)
    asked = [client.async_infer(MODEL, [input_of(http, np.full(1, value, np.float32))]) for value in range(64)]
    assert [one.get_result().as_numpy("y").tolist() for one in asked] == [[value / 2 + 2] for value in range(64)]


def check_http_refusals(server):
    client = http.InferenceServerClient(server.http)
    refused(lambda: client.infer("other", [input_of(http, X)]), "404", "other")
    refused(lambda: client.infer(MODEL, [input_of(http, X.reshape(3, 1))]), "400", "[3,1] found, [-1] expected")


def check_http_statistics(server):
    client = http.InferenceServerClient(server.http)
    before = client.get_inference_statistics(MODEL)["model_stats"][0]
    client.infer(MODEL, [input_of(http, X)])
    after = client.get_inference_statistics(MODEL, "123")["model_stats"][0]
    assert after["inference_count"] == before["inference_count"] + 3
    assert after["inference_stats"]["success"]["count"] == before["inference_stats"]["success"]["count"] + 1
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
    assert len(client.get_inference_statistics()["model_stats"]) == 3


def check_http_repository(server):
    client = http.InferenceServerClient(server.http)
    names = {(model["name"], model["state"]) for model in client.get_model_repository_index()}
    assert ("half_plus_three", "READY") in names
    client.unload_model("half_plus_three")
    assert not client.is_model_ready("half_plus_three")
    client.load_model("half_plus_three")
    assert client.is_model_ready("half_plus_three")


def check_grpc_health(server):
    client = grpc.InferenceServerClient(server.grpc)
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(MODEL) and not client.is_model_ready("other")


def check_grpc_metadata(server):
    client = grpc.InferenceServerClient(server.grpc)
    assert client.get_server_metadata().name == "aicity-model-server"
    metadata = client.get_model_metadata(MODEL, "123")
    assert metadata.inputs[0].name == "x" and list(metadata.inputs[0].shape) == [-1]


def check_grpc_infer(server):
    client = grpc.InferenceServerClient(server.grpc)
    outputs = [grpc.InferRequestedOutput("y")]
    result = client.infer(MODEL, [input_of(grpc, X)], outputs=outputs, request_id="one", client_timeout=30)
    assert result.as_numpy("y").tolist() == Y and result.get_response().id == "one"


def check_grpc_compressed(server):
    client = grpc.InferenceServerClient(server.grpc)
    for algorithm in ("gzip", "deflate"):
        result = client.infer(MODEL, [input_of(grpc, X)], compression_algorithm=algorithm)
        assert result.as_numpy("y").tolist() == Y


def check_grpc_large_tensor(server):
    values = np.arange(4_000_000, dtype=np.float32)
    result = grpc.InferenceServerClient(server.grpc).infer(MODEL, [input_of(grpc, values)])
    assert np.array_equal(result.as_numpy("y"), values / 2 + 2)


def check_grpc_stream(server):
    client = grpc.InferenceServerClient(server.grpc)
    answers = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    for value in range(32):
        client.async_stream_infer(MODEL, [input_of(grpc, np.full(1, value, np.float32))], request_id=str(value))
    found = {}
    for _ in range(32):
        result, error = answers.get(timeout=60)
        assert error is None, error
        found[int(result.get_response().id)] = result.as_numpy("y").tolist()
    client.stop_stream()
    assert found == {value: [value / 2 + 2] for value in range(32)}


def check_grpc_refusals(server):
    client = grpc.InferenceServerClient(server.grpc)
    refused(lambda: client.infer("other", [input_of(grpc, X)]), "NOT_FOUND", "other")
    refused(lambda: client.infer(MODEL, [input_of(grpc, X.reshape(3, 1))]), "INVALID_ARGUMENT", "[-1] expected")


def check_grpc_statistics(server):
    client = grpc.InferenceServerClient(server.grpc)
    client.infer(MODEL, [input_of(grpc, X)])
    statistics = client.get_inference_statistics(MODEL).model_stats[0]
    assert statistics.inference_count >= 3 and statistics.batch_stats


def check_grpc_repository(server):
    client = grpc.InferenceServerClient(server.grpc)
    assert {model.name for model in client.get_model_repository_index().models} >= {MODEL}
    client.unload_model("half_plus_three")
    assert not client.is_model_ready("half_plus_three")
    client.load_model("half_plus_three")
    assert client.is_model_ready("half_plus_three")


def check_grpc_messages_are_tritons(server):
    """Every field that the server's own description has, has the number and type that Triton's has."""
    from google.protobuf import descriptor_pb2
    from grpc import insecure_channel
    from tritonclient.grpc import service_pb2

    described = file_of(insecure_channel(server.grpc))
    compared = 0

    def compare(message, scope):
        nonlocal compared
        theirs = service_pb2.DESCRIPTOR.pool.FindMessageTypeByName(f"{scope}.{message.name}")
        for field in message.field:
            own = theirs.fields_by_name[field.name]
            assert (own.number, own.type) == (field.number, field.type), f"{message.name}.{field.name}"
            compared += 1
        for nested in message.nested_type:
            compare(nested, f"{scope}.{message.name}")

    file = descriptor_pb2.FileDescriptorProto.FromString(described)
    for message in file.message_type:
        compare(message, file.package)
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    for method in file.service[0].method:
        own = theirs.methods_by_name[method.name]
        assert own.input_type.full_name == method.input_type.lstrip("."), method.name
        assert own.output_type.full_name == method.output_type.lstrip("."), method.name
        assert own.client_streaming == method.client_streaming and own.server_streaming == method.server_streaming
    assert compared > 90


def file_of(channel) -> bytes:
    """inference.proto by reflection, whose few bytes are written by hand: the request's field 3 is a file's name."""
    call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    name = b"inference.proto"
    answer = next(iter(call(iter([bytes([0x1A, len(name)]) + name]))))
    from google.protobuf.internal.decoder import _DecodeVarint

    at = 0
    while at < len(answer):
        tag, at = _DecodeVarint(answer, at)
        size, at = _DecodeVarint(answer, at)
        if tag >> 3 == 4:  # file_descriptor_response, whose field 1 is the file
            _, at = _DecodeVarint(answer, at)
            size, at = _DecodeVarint(answer, at)
            return answer[at : at + size]
        at += size
    raise AssertionError("no file in the answer")
