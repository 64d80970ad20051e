"""KServe's Python server, which speaks V1 and V2 and leaves batching to a sidecar."""

import numpy
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

from savedmodel import PORT, load


class Bench(Model):
    def load(self):
        self.call = load()
        self.ready = True
        return True

    def predict(self, payload, headers=None, response_headers=None):
        if not isinstance(payload, InferRequest):
            rows = numpy.asarray(payload["instances"], numpy.float32)
            return {"predictions": self.call(rows).tolist()}
        scores = self.call(payload.inputs[0].as_numpy())
        output = InferOutput(name="y", shape=list(scores.shape), datatype="FP32")
        output.set_data_from_numpy(scores, binary_data=True)
        # An answer needs an id, though a request does not.
        return InferResponse(response_id=payload.id or "0", model_name=self.name, infer_outputs=[output])


if __name__ == "__main__":
    model = Bench("bench")
    model.load()
    ModelServer(http_port=PORT, enable_grpc=False, workers=1, access_log_format=None).start([model])
