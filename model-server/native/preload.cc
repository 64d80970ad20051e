// Reads a shared library on a thread of its own, so that JavaScript goes on meanwhile: resolving TensorFlow's 600,000
// symbols takes as long as starting the rest of the server. Whoever needs the library afterwards finds it there, or
// waits for what is left, in the dynamic linker's own lock.
//
//   preload(path)    returns at once; a library that cannot be read is left to whoever needs it to complain about
//   wait()           returns when the library has been read: a process that ends meanwhile would tear down what is only
//                    half there, and crash
#include <dlfcn.h>
#include <node_api.h>

#include <string>
#include <system_error>
#include <thread>

namespace {

// Never destroyed: a thread that nobody waited for would end the process with an abort.
std::thread* reading = nullptr;

napi_value Preload(napi_env env, napi_callback_info info) {
  size_t count = 1, length = 0;
  napi_value path;
  if (napi_get_cb_info(env, info, &count, &path, nullptr, nullptr) != napi_ok || count < 1 ||
      napi_get_value_string_utf8(env, path, nullptr, 0, &length) != napi_ok) {
    napi_throw_error(env, "INVALID_ARGUMENT", "a path was expected");
    return nullptr;
  }
  std::string file(length, '\0');
  napi_get_value_string_utf8(env, path, file.data(), length + 1, &length);
  if (reading) return nullptr;
  try {
    // Never closed: the library stays until the process ends.
    reading = new std::thread([file] { dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL); });
  } catch (const std::system_error&) {
    // No thread to be had: then it is read when it is needed.
  }
  return nullptr;
}

napi_value Wait(napi_env, napi_callback_info) {
  if (reading && reading->joinable()) reading->join();
  return nullptr;
}

napi_value Initialize(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      {"preload", nullptr, Preload, nullptr, nullptr, nullptr, napi_default, nullptr},
      {"wait", nullptr, Wait, nullptr, nullptr, nullptr, napi_default, nullptr},
  };
  napi_define_properties(env, exports, 2, properties);
  return exports;
}

}  // namespace

NAPI_MODULE(aicity_preload, Initialize)
