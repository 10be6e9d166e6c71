#pragma once
// An error of the operating system: the failed call and its errno.

#include <cerrno>
#include <cstring>
#include <string>

namespace fanfare::net {

struct OsError {
  const char* call;    // the name of the call, a literal
  int code;            // its errno
  std::string detail;  // the call's subject, for people: "127.0.0.1:8545"

  // "bind 127.0.0.1:8545: Address already in use"
  std::string message() const {
    std::string text(call);
    if (!detail.empty()) text += " " + detail;
    return text + ": " + ::strerrordesc_np(code);
  }
};

inline OsError last_error(const char* call, std::string detail = {}) {
  return {.call = call, .code = errno, .detail = std::move(detail)};
}

}  // namespace fanfare::net
