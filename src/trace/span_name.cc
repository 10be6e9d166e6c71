#include "trace/span_name.h"

#include <algorithm>

namespace fanfare::trace {
namespace {

bool is_of_a_method(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

}  // namespace

std::string span_name_of(std::string_view method) {
  const bool is_plain =
      !method.empty() && method.size() <= kSpanNameBytesMax && std::ranges::all_of(method, is_of_a_method);
  return is_plain ? std::string(method) : "jsonrpc";
}

}  // namespace fanfare::trace
