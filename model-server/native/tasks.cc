#include "tasks.h"

#include <cstdlib>
#include <utility>

#include "node-api.h"
#include "threads.h"

namespace aicity {

namespace {

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

void Execute(napi_env, void* data) {
  auto* task = static_cast<Task*>(data);
  try {
    task->execute();
  } catch (const Failure& failure) {
    task->failure = std::make_unique<Failure>(failure);
  } catch (const std::exception& error) {
    task->failure = std::make_unique<Failure>(Failure{"INTERNAL", error.what()});
  }
}

void Complete(napi_env env, napi_status status, void* data) {
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

void BackFromWorker(napi_env env, napi_value, void*, void* task) {
  if (!env) return;  // Nobody is left who could be told.
  Environment& environment = EnvironmentOf(env);
  if (--environment.runs == 0) napi_unref_threadsafe_function(env, environment.done);
  Complete(env, napi_ok, task);
}

}  // namespace

napi_value Queue(napi_env env, std::unique_ptr<Task> task) {
  napi_value promise, name;
  Ok(napi_create_string_utf8(env, "tensorflow", NAPI_AUTO_LENGTH, &name));
  Ok(napi_create_async_work(env, nullptr, name, Execute, Complete, task.get(), &task->work));
  Ok(napi_create_promise(env, &task->deferred, &promise));
  Ok(napi_queue_async_work(env, task->work));
  task.release();  // Complete() owns it now.
  return promise;
}

napi_value QueueOnWorker(napi_env env, std::unique_ptr<Task> task) {
  Environment& environment = EnvironmentOf(env);
  napi_value promise;
  Ok(napi_create_promise(env, &task->deferred, &promise));
  if (environment.runs++ == 0) Ok(napi_ref_threadsafe_function(env, environment.done));
  OnWorker(environment.threads, [done = environment.done, task = task.release()] {
    Execute(nullptr, task);
    napi_call_threadsafe_function(done, task, napi_tsfn_nonblocking);
  });
  return promise;
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
  Ok(napi_add_env_cleanup_hook(env, [](void*) { AwaitWorkers(); }, nullptr));
  static const int registered = std::atexit(AwaitWorkers);
  static_cast<void>(registered);
}

void SetThreadCount(napi_env env, int threads) { EnvironmentOf(env).threads = threads; }

int ThreadCount(napi_env env) { return EnvironmentOf(env).threads; }

}  // namespace aicity
