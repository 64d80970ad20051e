"""LitServe with joined requests and its fast queue."""

import litserve
import numpy

from savedmodel import MAX_BATCH_SIZE, PORT, load, run_joined


class Model(litserve.LitAPI):
    def setup(self, device):
        self.call = load()

    def decode_request(self, request):
        return numpy.asarray(request["instances"], numpy.float32)

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        return run_joined(self.call, inputs)

    def unbatch(self, outputs):
        return outputs

    def encode_response(self, output):
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    api = Model(max_batch_size=MAX_BATCH_SIZE, batch_timeout=0.002)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True, timeout=30)
    server.run(host="127.0.0.1", port=PORT, num_api_servers=1, generate_client_file=False, log_level="error")
