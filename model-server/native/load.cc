// Sessions: from a SavedModel, from a graph, and given up.
#include <cstdlib>
#include <cstring>
#include <utility>

#include "c-api.h"
#include "functions.h"
#include "node-api.h"
#include "tasks.h"

namespace aicity {

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

}  // namespace aicity
