// Node-API with failures as exceptions.
#pragma once

#include <node_api.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "failure.h"

namespace aicity {

inline void Ok(napi_status status) {
  if (status != napi_ok) throw Failure{"INTERNAL", "Node-API call failed with status " + std::to_string(status)};
}

inline std::string ToString(napi_env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) Reject("a string was expected");
  std::string text(length, '\0');
  Ok(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

inline uint32_t Length(napi_env env, napi_value array) {
  uint32_t length = 0;
  if (napi_get_array_length(env, array, &length) != napi_ok) Reject("an array was expected");
  return length;
}

inline napi_value Element(napi_env env, napi_value array, uint32_t index) {
  napi_value value;
  Ok(napi_get_element(env, array, index, &value));
  return value;
}

inline std::vector<std::string> ToStrings(napi_env env, napi_value array) {
  std::vector<std::string> strings;
  for (uint32_t i = 0, n = Length(env, array); i < n; i++) strings.push_back(ToString(env, Element(env, array, i)));
  return strings;
}

struct Bytes {
  const void* data;
  size_t size;
};

inline Bytes ToBytes(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    Reject("a typed array was expected");
  }
  static constexpr size_t kWidth[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  if (static_cast<size_t>(type) >= sizeof(kWidth) / sizeof(kWidth[0])) Reject("unknown kind of typed array");
  return {data, length * kWidth[type]};
}

// What a handle in JavaScript points to; the kind keeps one sort of handle from being taken for another.
template <typename T>
inline const char kKindOf = 0;  // by its address

template <typename T>
struct Box {
  const char* kind = &kKindOf<T>;
  std::shared_ptr<T> object;
};

template <typename T>
napi_value Handle(napi_env env, std::shared_ptr<T> object) {
  napi_value handle;
  auto box = std::make_unique<Box<T>>();
  box->object = std::move(object);
  Ok(napi_create_external(
      env, box.get(), [](napi_env, void* data, void*) { delete static_cast<Box<T>*>(data); }, nullptr, &handle));
  box.release();
  return handle;
}

template <typename T>
std::shared_ptr<T>& FromHandle(napi_env env, napi_value handle) {
  void* data = nullptr;
  if (napi_get_value_external(env, handle, &data) == napi_ok) {
    auto* box = static_cast<Box<T>*>(data);
    if (box->kind == &kKindOf<T>) return box->object;
  }
  Reject(std::string("the handle of a ") + T::kName + " was expected");
}

inline napi_value ToArray(napi_env env, const std::vector<int64_t>& numbers) {
  napi_value array;
  Ok(napi_create_array_with_length(env, numbers.size(), &array));
  for (size_t i = 0; i < numbers.size(); i++) {
    napi_value number;
    Ok(napi_create_int64(env, numbers[i], &number));
    Ok(napi_set_element(env, array, i, number));
  }
  return array;
}

inline napi_value ToArrayBuffer(napi_env env, const void* bytes, size_t size) {
  napi_value buffer;
  void* data = nullptr;
  Ok(napi_create_arraybuffer(env, size, &data, &buffer));
  if (size > 0) memcpy(data, bytes, size);
  return buffer;
}

inline void SetProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  Ok(napi_set_named_property(env, object, name, value));
}

inline napi_value ToError(napi_env env, const Failure& failure) {
  napi_value code, message, error;
  napi_create_string_utf8(env, failure.code.c_str(), failure.code.size(), &code);
  napi_create_string_utf8(env, failure.message.c_str(), failure.message.size(), &message);
  napi_create_error(env, code, message, &error);
  return error;
}

// Runs `body`; its failures become JavaScript exceptions.
inline napi_value Guard(napi_env env, const std::function<napi_value()>& body) {
  try {
    return body();
  } catch (const Failure& failure) {
    napi_throw(env, ToError(env, failure));
  } catch (const std::exception& error) {
    napi_throw(env, ToError(env, {"INTERNAL", error.what()}));
  }
  return nullptr;
}

template <size_t N>
void Arguments(napi_env env, napi_callback_info info, napi_value (&arguments)[N]) {
  size_t count = N;
  Ok(napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr));
  if (count < N) Reject(std::to_string(N) + " arguments were expected");
}

inline napi_value Undefined(napi_env env) {
  napi_value value;
  Ok(napi_get_undefined(env, &value));
  return value;
}

inline std::string CopyOf(const Bytes& bytes) { return std::string(static_cast<const char*>(bytes.data), bytes.size); }

}  // namespace aicity
