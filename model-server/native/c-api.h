// TensorFlow's C API with owners for what it hands out, and failures as exceptions.
#pragma once

#include <malloc.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "failure.h"
#include "tensorflow/c/c_api.h"

namespace aicity {

inline const char* CodeName(TF_Code code) {
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

template <typename T, void (*Delete)(T*)>
struct Deleter {
  void operator()(T* pointer) const { Delete(pointer); }
};
using Status = std::unique_ptr<TF_Status, Deleter<TF_Status, TF_DeleteStatus>>;
using Tensor = std::unique_ptr<TF_Tensor, Deleter<TF_Tensor, TF_DeleteTensor>>;
using Options = std::unique_ptr<TF_SessionOptions, Deleter<TF_SessionOptions, TF_DeleteSessionOptions>>;

inline Status NewStatus() { return Status(TF_NewStatus()); }

inline void Check(const Status& status) {
  if (TF_GetCode(status.get()) != TF_OK) throw Failure{CodeName(TF_GetCode(status.get())), TF_Message(status.get())};
}

// Loading takes several times the memory that the model needs afterwards; without this the process would keep it.
inline void ReturnFreeMemory() { malloc_trim(0); }

struct Session {
  static constexpr const char* kName = "session";
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
  static constexpr const char* kName = "callable";
  std::weak_ptr<Session> session;  // gone once closed
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::atomic<bool> hasRun = false;
};

inline Options NewOptions(const std::string& config) {
  Status status = NewStatus();
  Options options(TF_NewSessionOptions());
  TF_SetConfig(options.get(), config.data(), config.size(), status.get());
  Check(status);
  return options;
}

}  // namespace aicity
