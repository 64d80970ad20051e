"""MLServer without its pool of processes, with its adaptive batching."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from savedmodel import load


class Model(MLModel):
    async def load(self) -> bool:
        self.call = load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0])
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output("y", self.call(rows.astype("float32", copy=False)))],
        )
