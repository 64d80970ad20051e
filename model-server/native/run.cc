// Runs: inputs checked and copied, TensorFlow asked, outputs copied.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "c-api.h"
#include "functions.h"
#include "node-api.h"
#include "tasks.h"
#include "tensorflow/c/tf_tstring.h"
#include "threads.h"

namespace aicity {

namespace {

// The shape in JavaScript, checked against the graph; `elements` becomes the number of elements.
std::vector<int64_t> CheckedShape(napi_env env, napi_value array, const Port& port, size_t* elements) {
  const uint32_t rank = Length(env, array);
  std::vector<int64_t> shape(rank);
  if (port.ranked && rank != port.shape.size()) {
    Reject("\"" + port.name + "\" has rank " + std::to_string(port.shape.size()) + ", not " + std::to_string(rank));
  }
  *elements = 1;
  for (uint32_t i = 0; i < rank; i++) {
    if (napi_get_value_int64(env, Element(env, array, i), &shape[i]) != napi_ok || shape[i] < 0) {
      Reject("\"" + port.name + "\" has a dimension that is not a size");
    }
    if (port.ranked && port.shape[i] >= 0 && port.shape[i] != shape[i]) {
      Reject("\"" + port.name + "\" has size " + std::to_string(port.shape[i]) + " in dimension " + std::to_string(i) +
             ", not " + std::to_string(shape[i]));
    }
    if (__builtin_mul_overflow(*elements, static_cast<size_t>(shape[i]), elements)) Reject("the shape is too large");
  }
  return shape;
}

// The strings belong to the tensor: TensorFlow may share it with outputs or keep it, and frees it from any thread.
Tensor StringTensor(napi_env env, napi_value array, const std::vector<int64_t>& shape, size_t elements) {
  if (Length(env, array) != elements) Reject("the number of strings does not match the shape");
  const size_t size = elements * sizeof(TF_TString);
  auto* strings = static_cast<TF_TString*>(std::aligned_alloc(64, (size + 64) / 64 * 64));
  if (!strings) throw Failure{"RESOURCE_EXHAUSTED", "no memory for the input"};
  for (size_t i = 0; i < elements; i++) TF_StringInit(&strings[i]);
  const auto release = [](void* data, size_t size, void*) {
    auto* strings = static_cast<TF_TString*>(data);
    for (size_t i = 0; i < size / sizeof(TF_TString); i++) TF_StringDealloc(&strings[i]);
    std::free(data);
  };
  Tensor tensor(TF_NewTensor(TF_STRING, shape.data(), shape.size(), strings, size, release, nullptr));
  for (size_t i = 0; i < elements; i++) {
    const Bytes bytes = ToBytes(env, Element(env, array, i));
    TF_StringCopy(&strings[i], static_cast<const char*>(bytes.data), bytes.size);
  }
  return tensor;
}

napi_value ToOutput(napi_env env, TF_Tensor* tensor) {
  std::vector<int64_t> shape(TF_NumDims(tensor));
  for (size_t i = 0; i < shape.size(); i++) shape[i] = TF_Dim(tensor, static_cast<int>(i));
  napi_value object, data;
  Ok(napi_create_object(env, &object));
  if (TF_TensorType(tensor) == TF_STRING) {
    const size_t elements = TF_TensorElementCount(tensor);
    const auto* strings = static_cast<const TF_TString*>(TF_TensorData(tensor));
    Ok(napi_create_array_with_length(env, elements, &data));
    for (size_t i = 0; i < elements; i++) {
      const size_t size = TF_StringGetSize(&strings[i]);
      napi_value bytes;
      Ok(napi_create_typedarray(env, napi_uint8_array, size,
                                ToArrayBuffer(env, TF_StringGetDataPointer(&strings[i]), size), 0, &bytes));
      Ok(napi_set_element(env, data, i, bytes));
    }
  } else {
    data = ToArrayBuffer(env, TF_TensorData(tensor), TF_TensorByteSize(tensor));
  }
  SetProperty(env, object, "shape", ToArray(env, shape));
  SetProperty(env, object, "data", data);
  return object;
}

using Moment = std::chrono::steady_clock::time_point;
Moment Now() { return std::chrono::steady_clock::now(); }
double MillisecondsSince(Moment start) { return std::chrono::duration<double, std::milli>(Now() - start).count(); }

struct Running {
  std::shared_ptr<Callable> callable;
  std::shared_ptr<Session> session;
  std::vector<std::vector<int64_t>> shapes;
  std::vector<Bytes> bytes;     // of the numeric inputs, still in JavaScript's memory
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  const Moment asked = Now();
  double waitedMilliseconds = 0;
  double milliseconds = 0;

  // Copies the inputs (TensorFlow may keep them longer than JavaScript does) and runs. `threads` divide the work of each
  // operation, unless they are 0.
  void Execute(int threads = 0) {
    waitedMilliseconds = MillisecondsSince(asked);
    Callable& signature = *callable;
    std::vector<TF_Output> feeds, fetches;
    std::vector<TF_Tensor*> fed, fetched(signature.outputs.size(), nullptr);
    for (size_t i = 0; i < inputs.size(); i++) {
      if (!inputs[i]) {
        inputs[i].reset(
            TF_AllocateTensor(signature.inputs[i].type, shapes[i].data(), shapes[i].size(), bytes[i].size));
        if (!inputs[i]) throw Failure{"RESOURCE_EXHAUSTED", "no memory for the input"};
        if (bytes[i].size > 0) memcpy(TF_TensorData(inputs[i].get()), bytes[i].data, bytes[i].size);
      }
      feeds.push_back(signature.inputs[i].output);
      fed.push_back(inputs[i].get());
    }
    for (const Port& port : signature.outputs) fetches.push_back(port.output);
    Status status = NewStatus();
    const Moment start = Now();
    if (threads > 0) {
      RunSessionWide(threads, session->session, feeds, fed, fetches, &fetched, status.get());
    } else {
      TF_SessionRun(session->session, nullptr, feeds.data(), fed.data(), fed.size(), fetches.data(),
                    fetched.data(), fetched.size(), nullptr, 0, nullptr, status.get());
    }
    milliseconds = MillisecondsSince(start);
    for (TF_Tensor* tensor : fetched) outputs.emplace_back(tensor);
    inputs.clear();
    session.reset();
    // Before its first run TensorFlow improves the graph, on copies of it.
    if (!signature.hasRun.exchange(true)) ReturnFreeMemory();
    Check(status);
  }
};

// What run() was asked for, checked. The numbers stay in JavaScript's memory.
std::shared_ptr<Running> ToRunning(napi_env env, const napi_value (&arguments)[3]) {
  auto running = std::make_shared<Running>();
  running->callable = FromHandle<Callable>(env, arguments[0]);
  running->session = running->callable->session.lock();
  if (!running->session) Reject("the session is closed");
  const std::vector<Port>& ports = running->callable->inputs;
  if (Length(env, arguments[1]) != ports.size() || Length(env, arguments[2]) != ports.size()) {
    Reject(std::to_string(ports.size()) + " inputs were expected");
  }
  for (uint32_t i = 0; i < ports.size(); i++) {
    size_t elements = 0;
    running->shapes.push_back(CheckedShape(env, Element(env, arguments[1], i), ports[i], &elements));
    napi_value data = Element(env, arguments[2], i);
    if (ports[i].type == TF_STRING) {
      running->inputs.push_back(StringTensor(env, data, running->shapes[i], elements));
      running->bytes.push_back({nullptr, 0});
      continue;
    }
    const size_t width = TF_DataTypeSize(ports[i].type);
    const Bytes bytes = ToBytes(env, data);
    size_t expected = 0;
    if (width == 0 || __builtin_mul_overflow(elements, width, &expected) || bytes.size != expected) {
      Reject("\"" + ports[i].name + "\" holds " + std::to_string(bytes.size) + " bytes, not the " +
             std::to_string(expected) + " that its shape needs");
    }
    running->inputs.emplace_back(nullptr);
    running->bytes.push_back(bytes);
  }
  return running;
}

napi_value ToResult(napi_env env, const Running& running) {
  napi_value result, milliseconds, waited, array;
  Ok(napi_create_object(env, &result));
  Ok(napi_create_double(env, running.milliseconds, &milliseconds));
  Ok(napi_create_double(env, running.waitedMilliseconds, &waited));
  Ok(napi_create_array_with_length(env, running.outputs.size(), &array));
  for (size_t i = 0; i < running.outputs.size(); i++) {
    Ok(napi_set_element(env, array, i, ToOutput(env, running.outputs[i].get())));
  }
  SetProperty(env, result, "milliseconds", milliseconds);
  SetProperty(env, result, "waitedMilliseconds", waited);
  SetProperty(env, result, "outputs", array);
  return result;
}

// A task that runs what was asked for, and pins the numbers until it is done.
std::unique_ptr<Task> RunTask(napi_env env, napi_callback_info info, int threads) {
  napi_value arguments[3];
  Arguments(env, info, arguments);
  const std::shared_ptr<Running> running = ToRunning(env, arguments);
  auto task = std::make_unique<Task>();
  Ok(napi_create_reference(env, arguments[2], 1, &task->pinned));
  task->execute = [running, threads] { running->Execute(threads); };
  task->finish = [running](napi_env env) { return ToResult(env, *running); };
  return task;
}

}  // namespace

napi_value Run(napi_env env, napi_callback_info info) {
  return Guard(env, [=] { return QueueOnWorker(env, RunTask(env, info, 0)); });
}

napi_value RunWide(napi_env env, napi_callback_info info) {
  return Guard(env, [=] { return Queue(env, RunTask(env, info, ThreadCount(env))); });
}

napi_value RunNow(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[3];
    Arguments(env, info, arguments);
    const std::shared_ptr<Running> running = ToRunning(env, arguments);
    running->Execute();
    return ToResult(env, *running);
  });
}

}  // namespace aicity
