"""The messages of tensorflow-serving-api over REST: what they say is sent, and what comes back is read into them."""

import base64
import json
import urllib.request

from google.protobuf import json_format
from tensorflow.core.example import example_pb2
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

MODEL = "half_plus_two"


def get(server, path):
    with urllib.request.urlopen(f"{server.url}/v1/models/{path}") as answer:
        return json.load(answer)


def post(server, path, body):
    request = urllib.request.Request(f"{server.url}/v1/models/{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def address(spec: model_pb2.ModelSpec) -> str:
    return f"{spec.name}/versions/{spec.version.value}" if spec.HasField("version") else spec.name


def check_predict(server):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.model_spec.version.value = 123
    request.model_spec.signature_name = "serving_default"
    tensor = request.inputs["x"]
    tensor.dtype = types_pb2.DT_FLOAT
    tensor.tensor_shape.dim.add().size = 3
    tensor.float_val.extend([1.0, 2.0, 5.0])
    as_json = json_format.MessageToDict(request, preserving_proto_field_name=True)
    body = {
        "signature_name": as_json["model_spec"]["signature_name"],
        "inputs": {name: value["float_val"] for name, value in as_json["inputs"].items()},
    }
    answer = post(server, f"{address(request.model_spec)}:predict", body)
    response = predict_pb2.PredictResponse()
    response.outputs["y"].CopyFrom(tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=answer["outputs"]))
    assert list(response.outputs["y"].float_val) == [2.5, 3.0, 4.5]


def as_rest(example: example_pb2.Example) -> dict:
    """An example as the REST API has it."""
    found = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values = list(getattr(feature, kind).value)
        found[name] = [{"b64": base64.b64encode(value).decode()} for value in values] if kind == "bytes_list" else values
    return found


def example_of(**features: float) -> example_pb2.Example:
    example = example_pb2.Example()
    for name, value in features.items():
        example.features.feature[name].float_list.value.append(value)
    return example


def check_regress(server):
    request = regression_pb2.RegressionRequest()
    request.model_spec.name = MODEL
    request.model_spec.signature_name = "regress_x_to_y"
    request.input.example_list.examples.extend([example_of(x=1.0), example_of(x=2.0)])
    body = {
        "signature_name": request.model_spec.signature_name,
        "examples": [as_rest(example) for example in request.input.example_list.examples],
    }
    answer = post(server, f"{MODEL}:regress", body)
    result = regression_pb2.RegressionResult()
    for value in answer["results"]:
        result.regressions.add(value=value)
    assert [one.value for one in result.regressions] == [2.5, 3.0]


def check_classify_with_context(server):
    request = classification_pb2.ClassificationRequest()
    request.input.example_list_with_context.context.CopyFrom(example_of(x=4.0))
    request.input.example_list_with_context.examples.extend([example_of(), example_of(x=0.5)])
    listed = request.input.example_list_with_context
    body = {
        "signature_name": "classify_x_to_y",
        "context": as_rest(listed.context),
        "examples": [as_rest(example) for example in listed.examples],
    }
    answer = post(server, f"{MODEL}:classify", body)
    result = classification_pb2.ClassificationResult()
    for classes in answer["results"]:
        found = result.classifications.add()
        for label, score in classes:
            found.classes.add(label=label, score=score)
    assert [one.classes[0].score for one in result.classifications] == [4.0, 2.25]


def check_status(server):
    for path in (MODEL, f"{MODEL}/versions/123", f"{MODEL}/labels/stable"):
        response = get_model_status_pb2.GetModelStatusResponse()
        json_format.ParseDict(get(server, path), response, ignore_unknown_fields=True)
        [version] = response.model_version_status
        assert version.version == 123 and version.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE


def check_metadata(server):
    answer = get(server, f"{MODEL}/metadata")
    spec = json_format.ParseDict(answer["model_spec"], model_pb2.ModelSpec())
    assert spec.name == MODEL and spec.version.value == 123
    signatures = get_model_metadata_pb2.SignatureDefMap()
    json_format.ParseDict(answer["metadata"]["signature_def"], signatures)
    default = signatures.signature_def["serving_default"]
    assert default.method_name == "tensorflow/serving/predict" and default.inputs["x"].dtype == types_pb2.DT_FLOAT
    assert signatures.signature_def["regress_x_to_y"].inputs["inputs"].dtype == types_pb2.DT_STRING
