"""The SavedModel as all Python peers here call it."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy
import tensorflow

MODEL = os.environ["BENCH_MODEL"]
INPUT_SHAPE = tuple(int(size) for size in os.environ["BENCH_INPUT_SHAPE"].split(","))
OUTPUT_SIZE = int(os.environ["BENCH_OUTPUT_SIZE"])
PORT = int(os.environ["BENCH_PORT"])
MAX_BATCH_SIZE = 32


def load(threads=0):
    """Returns a function from float32 rows to float32 rows.

    threads: of one operation; 1 where several processes share the cores, 0 for as many as there are cores.
    """
    if os.environ["BENCH_CALL"] == "session":
        call = by_session(threads)
    else:
        call = by_signature(threads)
    for count in (1, 8, MAX_BATCH_SIZE):
        call(numpy.zeros((count, *INPUT_SHAPE), numpy.float32))
    settle()
    return call


def by_session(threads):
    """The least time that TensorFlow takes when it is called from Python, half of the other way's for one row."""
    v1 = tensorflow.compat.v1
    config = v1.ConfigProto(intra_op_parallelism_threads=threads)
    session = v1.Session(graph=tensorflow.Graph(), config=config)
    with session.graph.as_default():
        meta_graph = v1.saved_model.load(session, ["serve"], MODEL)
    signature = meta_graph.signature_def["serving_default"]
    return session.make_callable(signature.outputs["y"].name, feed_list=[signature.inputs["x"].name])


def by_signature(threads):
    """What TensorFlow's guide to SavedModels shows."""
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    model = tensorflow.saved_model.load(MODEL)
    signature = model.signatures["serving_default"]

    def call(rows, _model=model):  # which is gone otherwise
        return signature(x=tensorflow.constant(rows))["y"].numpy()

    return call


def settle():
    """Takes what start-up has left out of the garbage collector's sight: otherwise it stops the server now and then."""
    gc.collect()
    gc.freeze()


def run_joined(call, inputs):
    """One run for the rows of several requests; returns the rows of each."""
    outputs = call(numpy.concatenate(inputs))
    ends = numpy.cumsum([len(rows) for rows in inputs])
    return numpy.split(outputs, ends[:-1])
