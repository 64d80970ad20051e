// TensorFlow sessions for Node: loads a SavedModel and runs it on other threads, so that JavaScript goes on meanwhile.
// Uses TensorFlow's C API and Node-API, and threads.h for what the C API leaves out; keeps no state outside the handles
// that it gives out but its threads.
//
//   load(directory, tags[], config) -> Promise<session>               config: serialized tensorflow.ConfigProto
//   importGraph(graph[], config) -> Promise<session>                   graph: a serialized tensorflow.GraphDef, in parts
//   prepare(session, inputs[], outputs[]) -> callable                  names such as "serving_default_x:0"
//   prepareReads(session, variables[]) -> callable                     no inputs; gives the variables' values
//   describe(callable) -> {inputs: [{dataType, shape|null}], outputs: [...]}
//   setThreads(count)                                                  of run() and of runWide(); before the first
//   gpus(config) -> number                                             that TensorFlow sees and can use
//   run(callable, shapes[][], data[]) -> Promise<{milliseconds, waitedMilliseconds, outputs: [{shape, data}]}>
//                                                                      data: a typed array, or Uint8Array[] for strings
//   runWide(callable, shapes[][], data[]) -> the same                  operations divide their work among threads
//   runNow(callable, shapes[][], data[]) -> {…}                        the same as run() on JavaScript's own thread
//   close(session) -> Promise<void>                                    after what is running
//
// Everything that could make TensorFlow abort is checked here once more, against the graph itself. Typed arrays
// given to run() must stay as they are until its promise settles.
//
// run() has threads of its own, and runWide() those of libuv: oneDNN keeps what it has prepared for a shape with the
// thread that asked for it, for as many threads as that run had.
#include <malloc.h>
#include <node_api.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/tf_tstring.h"
#include "threads.h"

namespace {

// An error on its way to JavaScript: `code` is TensorFlow's status name.
struct Failure {
  std::string code;
  std::string message;
};

const char* CodeName(TF_Code code) {
  switch (code) {
    case TF_OK: return "OK";
    case TF_CANCELLED: return "CANCELLED";
    case TF_INVALID_ARGUMENT: return "INVALID_ARGUMENT";
    case TF_DEADLINE_EXCEEDED: return "DEADLINE_EXCEEDED";
    case TF_NOT_FOUND: return "NOT_FOUND";
    case TF_ALREADY_EXISTS: return "ALREADY_EXISTS";
    case TF_PERMISSION_DENIED: return "PERMISSION_DENIED";
    case TF_UNAUTHENTICATED: return "UNAUTHENTICATED";
    case TF_RESOURCE_EXHAUSTED: return "RESOURCE_EXHAUSTED";
    case TF_FAILED_PRECONDITION: return "FAILED_PRECONDITION";
    case TF_ABORTED: return "ABORTED";
    case TF_OUT_OF_RANGE: return "OUT_OF_RANGE";
    case TF_UNIMPLEMENTED: return "UNIMPLEMENTED";
    case TF_INTERNAL: return "INTERNAL";
    case TF_UNAVAILABLE: return "UNAVAILABLE";
    case TF_DATA_LOSS: return "DATA_LOSS";
    default: return "UNKNOWN";
  }
}

[[noreturn]] void Reject(const std::string& message) { throw Failure{"INVALID_ARGUMENT", message}; }

template <typename T, void (*Delete)(T*)>
struct Deleter {
  void operator()(T* pointer) const { Delete(pointer); }
};
using Status = std::unique_ptr<TF_Status, Deleter<TF_Status, TF_DeleteStatus>>;
using Tensor = std::unique_ptr<TF_Tensor, Deleter<TF_Tensor, TF_DeleteTensor>>;
using Options = std::unique_ptr<TF_SessionOptions, Deleter<TF_SessionOptions, TF_DeleteSessionOptions>>;

Status NewStatus() { return Status(TF_NewStatus()); }

void Check(const Status& status) {
  if (TF_GetCode(status.get()) != TF_OK) throw Failure{CodeName(TF_GetCode(status.get())), TF_Message(status.get())};
}

// Loading takes several times the memory that the model needs afterwards; without this the process would keep it.
void ReturnFreeMemory() { malloc_trim(0); }

struct Session {
  static constexpr const char* kKind = "session";
  TF_Graph* graph = TF_NewGraph();
  TF_Session* session = nullptr;
  ~Session() {
    Status status = NewStatus();
    if (session) {
      TF_CloseSession(session, status.get());
      TF_DeleteSession(session, status.get());
    }
    TF_DeleteGraph(graph);
  }
};

// What the graph says about one of its tensors.
struct Port {
  std::string name;
  TF_Output output;
  TF_DataType type;
  bool ranked = false;
  std::vector<int64_t> shape;  // -1: variable
};

struct Callable {
  static constexpr const char* kKind = "callable";
  std::weak_ptr<Session> session;  // gone once closed
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::atomic<bool> hasRun = false;
};

// ---- Node-API, with failures as exceptions ----

void Ok(napi_status status) {
  if (status != napi_ok) throw Failure{"INTERNAL", "Node-API call failed with status " + std::to_string(status)};
}

std::string ToString(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) Reject("a string was expected");
  std::string text(length, '\0');
  Ok(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

uint32_t Length(napi_env env, napi_value array) {
  uint32_t length = 0;
  if (napi_get_array_length(env, array, &length) != napi_ok) Reject("an array was expected");
  return length;
}

napi_value Element(napi_env env, napi_value array, uint32_t index) {
  napi_value value;
  Ok(napi_get_element(env, array, index, &value));
  return value;
}

std::vector<std::string> ToStrings(napi_env env, napi_value array) {
  std::vector<std::string> strings;
  for (uint32_t i = 0, n = Length(env, array); i < n; i++) strings.push_back(ToString(env, Element(env, array, i)));
  return strings;
}

struct Bytes {
  const void* data;
  size_t size;
};

Bytes ToBytes(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    Reject("a typed array was expected");
  }
  static constexpr size_t kWidth[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  if (static_cast<size_t>(type) >= sizeof(kWidth) / sizeof(kWidth[0])) Reject("unknown kind of typed array");
  return {data, length * kWidth[type]};
}

// What a handle in JavaScript points to; the kind keeps one sort of handle from being taken for another.
template <typename T>
struct Box {
  const char* kind = T::kKind;
  std::shared_ptr<T> object;
};

template <typename T>
napi_value Handle(napi_env env, std::shared_ptr<T> object) {
  napi_value handle;
  auto box = std::make_unique<Box<T>>();
  box->object = std::move(object);
  Ok(napi_create_external(
      env, box.get(), [](napi_env, void* data, void*) { delete static_cast<Box<T>*>(data); }, nullptr, &handle));
  box.release();
  return handle;
}

template <typename T>
std::shared_ptr<T>& FromHandle(napi_env env, napi_value handle) {
  void* data = nullptr;
  if (napi_get_value_external(env, handle, &data) == napi_ok) {
    auto* box = static_cast<Box<T>*>(data);
    if (box->kind == T::kKind) return box->object;
  }
  Reject(std::string("the handle of a ") + T::kKind + " was expected");
}

napi_value ToArray(napi_env env, const std::vector<int64_t>& numbers) {
  napi_value array;
  Ok(napi_create_array_with_length(env, numbers.size(), &array));
  for (size_t i = 0; i < numbers.size(); i++) {
    napi_value number;
    Ok(napi_create_int64(env, numbers[i], &number));
    Ok(napi_set_element(env, array, i, number));
  }
  return array;
}

napi_value ToArrayBuffer(napi_env env, const void* bytes, size_t size) {
  napi_value buffer;
  void* data = nullptr;
  Ok(napi_create_arraybuffer(env, size, &data, &buffer));
  if (size > 0) memcpy(data, bytes, size);
  return buffer;
}

void SetProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  Ok(napi_set_named_property(env, object, name, value));
}

napi_value ToError(napi_env env, const Failure& failure) {
  napi_value code, message, error;
  napi_create_string_utf8(env, failure.code.c_str(), failure.code.size(), &code);
  napi_create_string_utf8(env, failure.message.c_str(), failure.message.size(), &message);
  napi_create_error(env, code, message, &error);
  return error;
}

// Runs `body`; its failures become JavaScript exceptions.
napi_value Guard(napi_env env, const std::function<napi_value()>& body) {
  try {
    return body();
  } catch (const Failure& failure) {
    napi_throw(env, ToError(env, failure));
  } catch (const std::exception& error) {
    napi_throw(env, ToError(env, {"INTERNAL", error.what()}));
  }
  return nullptr;
}

template <size_t N>
void Arguments(napi_env env, napi_callback_info info, napi_value (&arguments)[N]) {
  size_t count = N;
  Ok(napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr));
  if (count < N) Reject(std::to_string(N) + " arguments were expected");
}

// What this add-on keeps for a JavaScript environment.
struct Environment {
  int threads = 1;
  int runs = 0;                             // on workers; while there are any, the process must not end
  napi_threadsafe_function done = nullptr;  // brings tasks back from workers
};

Environment& EnvironmentOf(napi_env env) {
  void* data = nullptr;
  Ok(napi_get_instance_data(env, &data));
  return *static_cast<Environment*>(data);
}

// One piece of work: `execute` on another thread, then `finish` back on JavaScript's gives the promise's value.
struct Task {
  std::function<void()> execute;
  std::function<napi_value(napi_env)> finish;
  napi_ref pinned = nullptr;  // keeps what execute() reads from being collected
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
  std::unique_ptr<Failure> failure;

  static void Execute(napi_env, void* data) {
    auto* task = static_cast<Task*>(data);
    try {
      task->execute();
    } catch (const Failure& failure) {
      task->failure = std::make_unique<Failure>(failure);
    } catch (const std::exception& error) {
      task->failure = std::make_unique<Failure>(Failure{"INTERNAL", error.what()});
    }
  }

  static void Complete(napi_env env, napi_status status, void* data) {
    std::unique_ptr<Task> task(static_cast<Task*>(data));
    napi_value value = nullptr;
    if (status != napi_ok && !task->failure) {
      task->failure = std::make_unique<Failure>(Failure{"CANCELLED", "the work was cancelled"});
    }
    if (!task->failure) {
      try {
        value = task->finish(env);
      } catch (const Failure& failure) {
        task->failure = std::make_unique<Failure>(failure);
      }
    }
    if (task->failure) {
      napi_reject_deferred(env, task->deferred, ToError(env, *task->failure));
    } else {
      napi_resolve_deferred(env, task->deferred, value);
    }
    if (task->pinned) napi_delete_reference(env, task->pinned);
    if (task->work) napi_delete_async_work(env, task->work);
  }
};

// On libuv's thread pool.
napi_value Queue(napi_env env, std::unique_ptr<Task> task) {
  napi_value promise, name;
  Ok(napi_create_string_utf8(env, "tensorflow", NAPI_AUTO_LENGTH, &name));
  Ok(napi_create_async_work(env, nullptr, name, Task::Execute, Task::Complete, task.get(), &task->work));
  Ok(napi_create_promise(env, &task->deferred, &promise));
  Ok(napi_queue_async_work(env, task->work));
  task.release();  // Complete() owns it now.
  return promise;
}

// On a thread that only runs models.
napi_value QueueOnWorker(napi_env env, std::unique_ptr<Task> task) {
  Environment& environment = EnvironmentOf(env);
  napi_value promise;
  Ok(napi_create_promise(env, &task->deferred, &promise));
  if (environment.runs++ == 0) Ok(napi_ref_threadsafe_function(env, environment.done));
  aicity::OnWorker(environment.threads, [done = environment.done, task = task.release()] {
    Task::Execute(nullptr, task);
    napi_call_threadsafe_function(done, task, napi_tsfn_nonblocking);
  });
  return promise;
}

void BackFromWorker(napi_env env, napi_value, void*, void* task) {
  if (!env) return;  // Nobody is left who could be told.
  Environment& environment = EnvironmentOf(env);
  if (--environment.runs == 0) napi_unref_threadsafe_function(env, environment.done);
  Task::Complete(env, napi_ok, task);
}

napi_value Undefined(napi_env env) {
  napi_value value;
  Ok(napi_get_undefined(env, &value));
  return value;
}

// ---- load ----

Options NewOptions(const std::string& config) {
  Status status = NewStatus();
  Options options(TF_NewSessionOptions());
  TF_SetConfig(options.get(), config.data(), config.size(), status.get());
  Check(status);
  return options;
}

std::string CopyOf(const Bytes& bytes) { return std::string(static_cast<const char*>(bytes.data), bytes.size); }

napi_value Load(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[3];
    Arguments(env, info, arguments);
    struct Loading {
      std::string directory;
      std::vector<std::string> tags;
      std::string config;
      std::shared_ptr<Session> session = std::make_shared<Session>();
    };
    auto loading = std::make_shared<Loading>();
    loading->directory = ToString(env, arguments[0]);
    loading->tags = ToStrings(env, arguments[1]);
    loading->config = CopyOf(ToBytes(env, arguments[2]));

    auto task = std::make_unique<Task>();
    task->execute = [loading] {
      const Options options = NewOptions(loading->config);
      Status status = NewStatus();
      std::vector<const char*> tags;
      for (const auto& tag : loading->tags) tags.push_back(tag.c_str());
      loading->session->session = TF_LoadSessionFromSavedModel(
          options.get(), nullptr, loading->directory.c_str(), tags.data(), static_cast<int>(tags.size()),
          loading->session->graph, nullptr, status.get());
      Check(status);
      ReturnFreeMemory();
    };
    task->finish = [loading](napi_env env) { return Handle(env, loading->session); };
    return Queue(env, std::move(task));
  });
}

napi_value ImportGraph(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[2];
    Arguments(env, info, arguments);
    struct Importing {
      std::vector<Bytes> parts;  // still in JavaScript's memory
      std::string config;
      std::shared_ptr<Session> session = std::make_shared<Session>();
    };
    auto importing = std::make_shared<Importing>();
    for (uint32_t i = 0, n = Length(env, arguments[0]); i < n; i++) {
      importing->parts.push_back(ToBytes(env, Element(env, arguments[0], i)));
    }
    importing->config = CopyOf(ToBytes(env, arguments[1]));

    auto task = std::make_unique<Task>();
    Ok(napi_create_reference(env, arguments[0], 1, &task->pinned));
    task->execute = [importing] {
      size_t size = 0;
      for (const Bytes& part : importing->parts) size += part.size;
      std::unique_ptr<char, void (*)(void*)> serialized(static_cast<char*>(std::malloc(size ? size : 1)), std::free);
      if (!serialized) throw Failure{"RESOURCE_EXHAUSTED", "no memory for the graph"};
      size_t at = 0;
      for (const Bytes& part : importing->parts) {
        if (part.size > 0) memcpy(serialized.get() + at, part.data, part.size);
        at += part.size;
      }
      const Session& session = *importing->session;
      Status status = NewStatus();
      const TF_Buffer definition{serialized.get(), size, nullptr};
      std::unique_ptr<TF_ImportGraphDefOptions, Deleter<TF_ImportGraphDefOptions, TF_DeleteImportGraphDefOptions>> how(
          TF_NewImportGraphDefOptions());
      TF_GraphImportGraphDef(session.graph, &definition, how.get(), status.get());
      Check(status);
      serialized.reset();
      const Options options = NewOptions(importing->config);
      importing->session->session = TF_NewSession(session.graph, options.get(), status.get());
      Check(status);
      ReturnFreeMemory();
    };
    task->finish = [importing](napi_env env) { return Handle(env, importing->session); };
    return Queue(env, std::move(task));
  });
}

// ---- prepare and describe ----

Port FindPort(TF_Graph* graph, const std::string& name) {
  Port port;
  port.name = name;
  const size_t colon = name.rfind(':');
  const std::string operation = name.substr(0, colon);
  port.output.oper = TF_GraphOperationByName(graph, operation.c_str());
  port.output.index = colon == std::string::npos ? 0 : atoi(name.c_str() + colon + 1);
  if (!port.output.oper) Reject("the graph has no operation \"" + operation + "\"");
  if (port.output.index < 0 || port.output.index >= TF_OperationNumOutputs(port.output.oper)) {
    Reject("the operation \"" + operation + "\" has no output " + std::to_string(port.output.index));
  }
  port.type = TF_OperationOutputType(port.output);
  Status status = NewStatus();
  const int rank = TF_GraphGetTensorNumDims(graph, port.output, status.get());
  Check(status);
  port.ranked = rank >= 0;
  if (rank > 0) {
    port.shape.resize(rank);
    TF_GraphGetTensorShape(graph, port.output, port.shape.data(), rank, status.get());
    Check(status);
  }
  return port;
}

napi_value Prepare(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[3];
    Arguments(env, info, arguments);
    auto callable = std::make_shared<Callable>();
    const std::shared_ptr<Session> session = FromHandle<Session>(env, arguments[0]);
    if (!session) Reject("the session is closed");
    callable->session = session;
    TF_Graph* graph = session->graph;
    for (const auto& name : ToStrings(env, arguments[1])) callable->inputs.push_back(FindPort(graph, name));
    for (const auto& name : ToStrings(env, arguments[2])) callable->outputs.push_back(FindPort(graph, name));
    return Handle(env, callable);
  });
}

// The output of an operation that is added to the graph and reads the variable of that name.
Port AddRead(TF_Graph* graph, const std::string& variable) {
  TF_Operation* const handle = TF_GraphOperationByName(graph, variable.c_str());
  if (!handle) Reject("the graph has no operation \"" + variable + "\"");
  Status status = NewStatus();
  TF_DataType type;
  TF_OperationGetAttrType(handle, "dtype", &type, status.get());
  Check(status);
  const std::string name = variable + "/aicity_read";
  TF_OperationDescription* const read = TF_NewOperation(graph, "ReadVariableOp", name.c_str());
  TF_AddInput(read, {handle, 0});
  TF_SetAttrType(read, "dtype", type);
  TF_FinishOperation(read, status.get());
  Check(status);
  return FindPort(graph, name);
}

napi_value PrepareReads(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[2];
    Arguments(env, info, arguments);
    auto callable = std::make_shared<Callable>();
    const std::shared_ptr<Session> session = FromHandle<Session>(env, arguments[0]);
    if (!session) Reject("the session is closed");
    callable->session = session;
    for (const auto& name : ToStrings(env, arguments[1])) {
      callable->outputs.push_back(AddRead(session->graph, name));
    }
    return Handle(env, callable);
  });
}

napi_value ToPorts(napi_env env, const std::vector<Port>& ports) {
  napi_value array;
  Ok(napi_create_array_with_length(env, ports.size(), &array));
  for (size_t i = 0; i < ports.size(); i++) {
    napi_value object, type, shape;
    Ok(napi_create_object(env, &object));
    Ok(napi_create_int32(env, ports[i].type, &type));
    if (ports[i].ranked) {
      shape = ToArray(env, ports[i].shape);
    } else {
      Ok(napi_get_null(env, &shape));
    }
    SetProperty(env, object, "dataType", type);
    SetProperty(env, object, "shape", shape);
    Ok(napi_set_element(env, array, i, object));
  }
  return array;
}

napi_value Describe(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[1];
    Arguments(env, info, arguments);
    const Callable& callable = *FromHandle<Callable>(env, arguments[0]);
    napi_value object;
    Ok(napi_create_object(env, &object));
    SetProperty(env, object, "inputs", ToPorts(env, callable.inputs));
    SetProperty(env, object, "outputs", ToPorts(env, callable.outputs));
    return object;
  });
}

napi_value SetThreads(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[1];
    Arguments(env, info, arguments);
    int32_t threads = 0;
    if (napi_get_value_int32(env, arguments[0], &threads) != napi_ok || threads < 1) {
      Reject("a number of threads was expected");
    }
    EnvironmentOf(env).threads = threads;
    return Undefined(env);
  });
}

napi_value Gpus(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[1], result;
    Arguments(env, info, arguments);
    const Options options = NewOptions(CopyOf(ToBytes(env, arguments[0])));
    Session empty;
    Status status = NewStatus();
    empty.session = TF_NewSession(empty.graph, options.get(), status.get());
    Check(status);
    const std::unique_ptr<TF_DeviceList, Deleter<TF_DeviceList, TF_DeleteDeviceList>> devices(
        TF_SessionListDevices(empty.session, status.get()));
    Check(status);
    int count = 0;
    for (int i = 0; i < TF_DeviceListCount(devices.get()); i++) {
      count += std::string(TF_DeviceListType(devices.get(), i, status.get())) == "GPU";
      Check(status);
    }
    Ok(napi_create_int32(env, count, &result));
    return result;
  });
}

// ---- run ----

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
      aicity::RunWide(threads, session->session, feeds, fed, fetches, &fetched, status.get());
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

napi_value Run(napi_env env, napi_callback_info info) {
  return Guard(env, [=] { return QueueOnWorker(env, RunTask(env, info, 0)); });
}

napi_value RunWide(napi_env env, napi_callback_info info) {
  return Guard(env, [=] { return Queue(env, RunTask(env, info, EnvironmentOf(env).threads)); });
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

// ---- close ----

napi_value Close(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[1];
    Arguments(env, info, arguments);
    // Runs in progress share the session; the last one to let go frees it, on the pool.
    auto session = std::make_shared<std::shared_ptr<Session>>(std::move(FromHandle<Session>(env, arguments[0])));
    auto task = std::make_unique<Task>();
    task->execute = [session] {
      session->reset();
      ReturnFreeMemory();
    };
    task->finish = Undefined;
    return Queue(env, std::move(task));
  });
}

void KeepEnvironment(napi_env env) {
  auto environment = std::make_unique<Environment>();
  napi_value name;
  Ok(napi_create_string_utf8(env, "tensorflow", NAPI_AUTO_LENGTH, &name));
  Ok(napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, BackFromWorker,
                                     &environment->done));
  Ok(napi_unref_threadsafe_function(env, environment->done));
  Ok(napi_set_instance_data(
      env, environment.release(), [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
      nullptr));
  // What runs must neither outlive the environment that it reports to, nor the library that it runs in.
  Ok(napi_add_env_cleanup_hook(env, [](void*) { aicity::AwaitWorkers(); }, nullptr));
  static const int registered = std::atexit(aicity::AwaitWorkers);
  static_cast<void>(registered);
}

napi_value Initialize(napi_env env, napi_value exports) {
  return Guard(env, [=] {
    // Each session has the threads that its configuration says, and not those of the first one in the process.
    setenv("TF_OVERRIDE_GLOBAL_THREADPOOL", "1", 0);
    KeepEnvironment(env);
    const std::pair<const char*, napi_callback> functions[] = {
        {"load", Load},
        {"importGraph", ImportGraph},
        {"prepare", Prepare},
        {"prepareReads", PrepareReads},
        {"describe", Describe},
        {"setThreads", SetThreads},
        {"gpus", Gpus},
        {"run", Run},
        {"runWide", RunWide},
        {"runNow", RunNow},
        {"close", Close}};
    for (const auto& [name, callback] : functions) {
      napi_value function;
      Ok(napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
      SetProperty(env, exports, name, function);
    }
    napi_value version;
    Ok(napi_create_string_utf8(env, TF_Version(), NAPI_AUTO_LENGTH, &version));
    SetProperty(env, exports, "version", version);
    return exports;
  });
}

}  // namespace

NAPI_MODULE(aicity_session, Initialize)
