// NVIDIA's GPUs as their driver sees them, by its management library NVML, which comes with the driver.
//
//   read() -> Promise<[{uuid, name, memoryBytes, memoryUsedBytes, utilization|null}]>
//
// Those that this process may see; slices of a GPU (MIG) in place of the GPU, without utilization, which the driver does
// not tell of them. Empty where there is no driver. Types and functions are those of NVML's reference,
// https://docs.nvidia.com/deploy/nvml-api.
#include <dlfcn.h>
#include <node_api.h>

#include <memory>
#include <string>
#include <vector>

#include "node-api.h"

namespace aicity {

namespace {

using Device = void*;
struct Memory {
  unsigned long long total, free, used;
};
struct Utilization {
  unsigned int gpu, memory;  // in percent of the last sample period
};

template <typename... Arguments>
using Function = int (*)(Arguments...);  // 0: success

struct Nvml {
  Function<unsigned int*> count;
  Function<unsigned int, Device*> device;
  Function<Device, char*, unsigned int> name;
  Function<Device, char*, unsigned int> uuid;
  Function<Device, Memory*> memory;
  Function<Device, Utilization*> utilization;
  // What older drivers do not have is null.
  Function<Device, unsigned int*> sliceCount;
  Function<Device, unsigned int, Device*> slice;
};

template <typename F>
bool Find(void* library, const char* symbol, F* function) {
  *function = reinterpret_cast<F>(dlsym(library, symbol));
  return *function != nullptr;
}

// Null where there is no driver. The library is never closed.
const Nvml* LoadNvml() {
  void* const library = dlopen("libnvidia-ml.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (!library) return nullptr;
  auto nvml = std::make_unique<Nvml>();
  Function<> initialize;
  const bool complete =
      Find(library, "nvmlInit_v2", &initialize) && Find(library, "nvmlDeviceGetCount_v2", &nvml->count) &&
      Find(library, "nvmlDeviceGetHandleByIndex_v2", &nvml->device) &&
      Find(library, "nvmlDeviceGetName", &nvml->name) && Find(library, "nvmlDeviceGetUUID", &nvml->uuid) &&
      Find(library, "nvmlDeviceGetMemoryInfo", &nvml->memory) &&
      Find(library, "nvmlDeviceGetUtilizationRates", &nvml->utilization);
  if (!complete || initialize() != 0) return nullptr;
  if (!Find(library, "nvmlDeviceGetMaxMigDeviceCount", &nvml->sliceCount) ||
      !Find(library, "nvmlDeviceGetMigDeviceHandleByIndex", &nvml->slice)) {
    nvml->sliceCount = nullptr;
  }
  return nvml.release();
}

struct Gpu {
  std::string uuid, name;
  Memory memory{};
  int utilization = -1;  // in percent
};

// NVML's longest name has 96 bytes, its end included, as has its longest UUID.
std::string Text(Function<Device, char*, unsigned int> read, Device device) {
  char text[96] = "";
  return read(device, text, sizeof(text)) == 0 ? text : "";
}

void Add(const Nvml& nvml, Device device, std::vector<Gpu>* gpus) {
  Gpu gpu;
  Utilization utilization{};
  if (nvml.memory(device, &gpu.memory) != 0) return;
  gpu.uuid = Text(nvml.uuid, device);
  gpu.name = Text(nvml.name, device);
  if (nvml.utilization(device, &utilization) == 0) gpu.utilization = static_cast<int>(utilization.gpu);
  gpus->push_back(gpu);
}

std::vector<Gpu> ReadGpus() {
  static const Nvml* const nvml = LoadNvml();
  std::vector<Gpu> gpus;
  unsigned int count = 0;
  if (!nvml || nvml->count(&count) != 0) return gpus;
  for (unsigned int i = 0; i < count; i++) {
    Device device, slice;
    if (nvml->device(i, &device) != 0) continue;
    unsigned int slices = 0;
    if (!nvml->sliceCount || nvml->sliceCount(device, &slices) != 0) slices = 0;
    const size_t before = gpus.size();
    for (unsigned int at = 0; at < slices; at++) {
      if (nvml->slice(device, at, &slice) == 0) Add(*nvml, slice, &gpus);
    }
    // A GPU that could be sliced, and is not, is there as a whole.
    if (gpus.size() == before) Add(*nvml, device, &gpus);
  }
  return gpus;
}

struct Reading {
  std::vector<Gpu> gpus;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

napi_value ToText(napi_env env, const std::string& text) {
  napi_value value;
  Ok(napi_create_string_utf8(env, text.data(), text.size(), &value));
  return value;
}

napi_value ToNumber(napi_env env, double number) {
  napi_value value;
  Ok(napi_create_double(env, number, &value));
  return value;
}

napi_value ToObjects(napi_env env, const std::vector<Gpu>& gpus) {
  napi_value array, nothing;
  Ok(napi_get_null(env, &nothing));
  Ok(napi_create_array_with_length(env, gpus.size(), &array));
  for (size_t i = 0; i < gpus.size(); i++) {
    const Gpu& gpu = gpus[i];
    napi_value object;
    Ok(napi_create_object(env, &object));
    SetProperty(env, object, "uuid", ToText(env, gpu.uuid));
    SetProperty(env, object, "name", ToText(env, gpu.name));
    SetProperty(env, object, "memoryBytes", ToNumber(env, static_cast<double>(gpu.memory.total)));
    SetProperty(env, object, "memoryUsedBytes", ToNumber(env, static_cast<double>(gpu.memory.used)));
    SetProperty(env, object, "utilization", gpu.utilization < 0 ? nothing : ToNumber(env, gpu.utilization / 100.0));
    Ok(napi_set_element(env, array, i, object));
  }
  return array;
}

napi_value Read(napi_env env, napi_callback_info) {
  return Guard(env, [=] {
    auto reading = std::make_unique<Reading>();
    napi_value promise, name;
    Ok(napi_create_string_utf8(env, "nvml", NAPI_AUTO_LENGTH, &name));
    Ok(napi_create_async_work(
        env, nullptr, name, [](napi_env, void* data) { static_cast<Reading*>(data)->gpus = ReadGpus(); },
        [](napi_env env, napi_status, void* data) {
          const std::unique_ptr<Reading> reading(static_cast<Reading*>(data));
          napi_resolve_deferred(env, reading->deferred, ToObjects(env, reading->gpus));
          napi_delete_async_work(env, reading->work);
        },
        reading.get(), &reading->work));
    Ok(napi_create_promise(env, &reading->deferred, &promise));
    Ok(napi_queue_async_work(env, reading->work));
    reading.release();
    return promise;
  });
}

napi_value Initialize(napi_env env, napi_value exports) {
  return Guard(env, [=] {
    napi_value function;
    Ok(napi_create_function(env, "read", NAPI_AUTO_LENGTH, Read, nullptr, &function));
    SetProperty(env, exports, "read", function);
    return exports;
  });
}

}  // namespace

}  // namespace aicity

NAPI_MODULE(aicity_gpus, aicity::Initialize)
