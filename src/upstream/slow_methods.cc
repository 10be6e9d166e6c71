#include "upstream/slow_methods.h"

namespace fanfare::upstream {
namespace {

constexpr Duration kPresumed = std::chrono::seconds(1);
constexpr int kSmoothing = 8;

bool is_presumed_slow(std::string_view method) {
  return method == "eth_getLogs" || method.starts_with("debug_") || method.starts_with("trace_");
}

}  // namespace

bool SlowMethods::is_slow(std::string_view method) const {
  const auto found = average_.find(method);
  return found == average_.end() ? is_presumed_slow(method) : found->second > kSlowAfter;
}

void SlowMethods::note(std::string_view method, Duration took) {
  auto found = average_.find(method);
  if (found == average_.end()) {
    if (average_.size() >= kMethodsMax) return;
    found = average_.emplace(method, is_presumed_slow(method) ? kPresumed : took).first;
  }
  found->second += (took - found->second) / kSmoothing;
}

}  // namespace fanfare::upstream
