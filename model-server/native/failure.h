// What can go wrong here, as JavaScript is told it.
#pragma once

#include <string>

namespace aicity {

// An error on its way to JavaScript: `code` is TensorFlow's status name.
struct Failure {
  std::string code;
  std::string message;
};

[[noreturn]] inline void Reject(const std::string& message) { throw Failure{"INVALID_ARGUMENT", message}; }

}  // namespace aicity
