#include "eth/listeners.h"

namespace fanfare::eth {

Listeners::Id Listeners::add(Instant deadline) {
  waiting_.push_back({.id = ++last_, .deadline = deadline});
  return last_;
}

void Listeners::accept() {
  for (const Waiting& one : std::exchange(waiting_, {}))
    results_.push_back({.listener = one.id, .refusal = {}});
}

void Listeners::refuse(const std::string& why) {
  while (!waiting_.empty()) refuse_first(why);
}

void Listeners::refuse_late(Instant now, const std::string& why) {
  while (!waiting_.empty() && waiting_.front().deadline <= now) refuse_first(why);
}

void Listeners::refuse_first(const std::string& why) {
  results_.push_back({.listener = waiting_.front().id, .refusal = why.empty() ? "no answer yet" : why});
  waiting_.pop_front();
}

std::optional<Instant> Listeners::next_deadline() const {
  return waiting_.empty() ? std::nullopt : std::optional(waiting_.front().deadline);
}

}  // namespace fanfare::eth
