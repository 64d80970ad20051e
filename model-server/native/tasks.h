// Work of the add-on on other threads, whose outcome becomes a promise.
#pragma once

#include <node_api.h>

#include <functional>
#include <memory>

#include "failure.h"

namespace aicity {

// Once for each JavaScript environment, before anything else here.
void KeepEnvironment(napi_env env);

// Threads of runs; before the first of them.
void SetThreadCount(napi_env env, int threads);
int ThreadCount(napi_env env);

// One piece of work: `execute` on another thread, then `finish` back on JavaScript's gives the promise's value.
struct Task {
  std::function<void()> execute;
  std::function<napi_value(napi_env)> finish;
  napi_ref pinned = nullptr;  // keeps what execute() reads from being collected
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
  std::unique_ptr<Failure> failure;
};

// On libuv's thread pool.
napi_value Queue(napi_env env, std::unique_ptr<Task> task);

// On a thread that only runs models.
napi_value QueueOnWorker(napi_env env, std::unique_ptr<Task> task);

}  // namespace aicity
