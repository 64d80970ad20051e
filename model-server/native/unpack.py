"""Takes the native libraries and headers out of a wheel: unpack.py WHEEL DIRECTORY

Writes DIRECTORY/lib (TensorFlow), DIRECTORY/include (TensorFlow's C and C++ API) and DIRECTORY/nvidia (CUDA wheels,
where TensorFlow's own run path looks for them). Everything else in the wheel is left.
"""

import os
import shutil
import sys
import zipfile

LIBRARIES = ("tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow_framework.so.2")
INCLUDE = "tensorflow/include/"
HEADERS = (
    "Eigen/",
    "absl/",
    "google/protobuf/",
    "ml_dtypes/",
    "tensorflow/c/",
    "tensorflow/core/",
    "tsl/",
    "unsupported/Eigen/",
    "xla/tsl/",
)
NOTICES = ("tensorflow/THIRD_PARTY_NOTICES.txt",)


def destination(name):
    if name in LIBRARIES:
        return "lib/" + os.path.basename(name)
    if name in NOTICES:
        return os.path.basename(name)
    if name.startswith(INCLUDE) and name[len(INCLUDE) :].startswith(HEADERS):
        return "include/" + name[len(INCLUDE) :]
    if name.startswith("nvidia/") and (".so" in os.path.basename(name) or "/nvvm/" in name or name.endswith("/ptxas")):
        return name
    return None


wheel, directory = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        target = destination(entry.filename)
        if target is None or entry.is_dir():
            continue
        target = os.path.join(directory, target)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(entry) as source, open(target, "wb") as sink:
            shutil.copyfileobj(source, sink, 4 << 20)
        os.chmod(target, 0o755 if entry.external_attr >> 16 & 0o111 else 0o644)
