#include "threads.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "tensorflow/c/c_api_internal.h"
#include "tensorflow/c/tf_status_helper.h"
#include "tensorflow/c/tf_tensor_internal.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/platform/threadpool.h"
#include "tensorflow/core/platform/threadpool_options.h"
#include "tensorflow/core/public/session.h"

namespace aicity {
namespace {

using tensorflow::Env;
using tensorflow::Tensor;
using tensorflow::ThreadOptions;
using tensorflow::thread::ThreadPool;

// Pools live as long as the process: TensorFlow may use them until it ends. Their threads look for more work for a
// moment before they sleep, as those of a session do.
ThreadPool& NewPool(const char* name, int threads) {
  return *new ThreadPool(Env::Default(), ThreadOptions(), name, threads, /*low_latency_hint=*/true);
}

// A pool as RunSessionWide() hands it to a session.
class Threads : public tensorflow::thread::ThreadPoolInterface {
 public:
  explicit Threads(ThreadPool& pool) : pool_(*pool.AsEigenThreadPool()) {}
  void Schedule(std::function<void()> work) override { pool_.Schedule(std::move(work)); }
  void ScheduleWithHint(std::function<void()> work, int start, int end) override {
    pool_.ScheduleWithHint(std::move(work), start, end);
  }
  int NumThreads() const override { return pool_.NumThreads(); }
  int CurrentThreadId() const override { return pool_.CurrentThreadId(); }

 private:
  Eigen::ThreadPoolInterface& pool_;
};

struct Outstanding {
  std::mutex mutex;
  std::condition_variable none;
  int count = 0;
};
Outstanding& OutstandingWork() {
  static auto& outstanding = *new Outstanding();
  return outstanding;
}

std::string NameOf(const TF_Output& output) {
  return std::string(TF_OperationName(output.oper)) + ":" + std::to_string(output.index);
}

absl::Status Run(tensorflow::Session& session, tensorflow::thread::ThreadPoolInterface& threads,
                 const std::vector<TF_Output>& feeds, const std::vector<TF_Tensor*>& fed,
                 const std::vector<TF_Output>& fetches, std::vector<TF_Tensor*>* fetched) {
  std::vector<std::pair<std::string, Tensor>> inputs(feeds.size());
  for (size_t i = 0; i < feeds.size(); i++) {
    inputs[i].first = NameOf(feeds[i]);
    TF_RETURN_IF_ERROR(tensorflow::TF_TensorToTensor(fed[i], &inputs[i].second));
  }
  std::vector<std::string> names;
  for (const TF_Output& fetch : fetches) names.push_back(NameOf(fetch));
  tensorflow::thread::ThreadPoolOptions pools;
  pools.intra_op_threadpool = &threads;
  std::vector<Tensor> outputs;
  TF_RETURN_IF_ERROR(session.Run({}, inputs, names, {}, &outputs, nullptr, pools));
  for (size_t i = 0; i < outputs.size(); i++) {
    absl::Status status;
    (*fetched)[i] = tensorflow::TF_TensorFromTensor(outputs[i], &status);
    TF_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

}  // namespace

void OnWorker(int threads, std::function<void()> work) {
  static ThreadPool& workers = NewPool("aicity_run", threads);
  Outstanding& outstanding = OutstandingWork();
  {
    std::lock_guard<std::mutex> lock(outstanding.mutex);
    outstanding.count++;
  }
  workers.Schedule([work = std::move(work), &outstanding] {
    work();
    std::lock_guard<std::mutex> lock(outstanding.mutex);
    if (--outstanding.count == 0) outstanding.none.notify_all();
  });
}

void AwaitWorkers() {
  Outstanding& outstanding = OutstandingWork();
  std::unique_lock<std::mutex> lock(outstanding.mutex);
  outstanding.none.wait(lock, [&outstanding] { return outstanding.count == 0; });
}

void RunSessionWide(int threads, TF_Session* session, const std::vector<TF_Output>& feeds,
             const std::vector<TF_Tensor*>& fed, const std::vector<TF_Output>& fetches,
             std::vector<TF_Tensor*>* fetched, TF_Status* status) {
  static Threads& pool = *new Threads(NewPool("aicity_wide", threads));
  // What TF_SessionRun() does first: the session learns of operations that were added to its graph.
  if (session->extend_before_run && !tensorflow::ExtendSessionGraphHelper(session, status)) return;
  tsl::Set_TF_Status_from_Status(status, Run(*session->session, pool, feeds, fed, fetches, fetched));
}

}  // namespace aicity
