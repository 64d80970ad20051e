// Reads a shared library on a thread of its own, so that JavaScript goes on meanwhile: resolving TensorFlow's 600,000
// symbols takes as long as starting the rest of the server. Whoever needs the library afterwards finds it there, or
// waits for what is left, in the dynamic linker's own lock.
//
//   preload(path)    returns at once; a library that cannot be read is left to whoever needs it to complain about
#include <dlfcn.h>
#include <node_api.h>

#include <string>
#include <system_error>
#include <thread>

namespace {

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
  try {
    // Never closed: the library stays until the process ends.
    std::thread([file] { dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL); }).detach();
  } catch (const std::system_error&) {
    // No thread to be had: then it is read when it is needed.
  }
  return nullptr;
}

napi_value Initialize(napi_env env, napi_value exports) {
  napi_value function;
  if (napi_create_function(env, "preload", NAPI_AUTO_LENGTH, Preload, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, "preload", function);
  }
  return exports;
}

}  // namespace

NAPI_MODULE(aicity_preload, Initialize)
