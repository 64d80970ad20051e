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
#include <cstdlib>
#include <string>

#include "c-api.h"
#include "functions.h"
#include "node-api.h"
#include "tasks.h"

namespace aicity {

namespace {

napi_value SetThreads(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[1];
    Arguments(env, info, arguments);
    int32_t threads = 0;
    if (napi_get_value_int32(env, arguments[0], &threads) != napi_ok || threads < 1) {
      Reject("a number of threads was expected");
    }
    SetThreadCount(env, threads);
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

}  // namespace aicity

NAPI_MODULE(aicity_session, aicity::Initialize)
