// What TensorFlow's C API does not offer and its C++ API does: on which threads a run computes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tensorflow/c/c_api.h"

namespace aicity {

// On a thread of a pool that only computes: as many threads as the first call says. Returns at once.
void OnWorker(int threads, std::function<void()> work);

// Waits until all that OnWorker() was given has been done.
void AwaitWorkers();

// As TF_SessionRun(), and each operation divides its work among threads: as many as the first call says, shared by all
// sessions. The session's own setting counts for TF_SessionRun() alone. Operations must be on the CPU.
void RunSessionWide(int threads, TF_Session* session, const std::vector<TF_Output>& feeds,
             const std::vector<TF_Tensor*>& fed, const std::vector<TF_Output>& fetches,
             std::vector<TF_Tensor*>* fetched, TF_Status* status);

}  // namespace aicity
