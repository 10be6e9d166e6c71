#include "session/slow_watch.h"

#include <utility>
#include <vector>

namespace fanfare::session {

SlowWatch::~SlowWatch() {
  if (is_planned_) loop_.cancel(timer_);
}

void SlowWatch::add(SlowReader& reader) {
  const auto [place, is_new] = readers_.try_emplace(&reader);
  if (!is_new) return;
  place->second = {.bytes = reader.send_progress().bytes, .at = loop_.now()};
  check_later();
}

void SlowWatch::remove(SlowReader& reader) {
  readers_.erase(&reader);
  if (readers_.empty() && std::exchange(is_planned_, false)) loop_.cancel(timer_);
}

void SlowWatch::check_later() {
  if (std::exchange(is_planned_, true)) return;
  timer_ = loop_.call_after(timeout_ / 4, [this] { check(); });
}

void SlowWatch::check() {
  is_planned_ = false;
  const Instant now = loop_.now();
  std::vector<SlowReader*> too_slow;
  for (auto& [reader, last] : readers_) {
    const net::SendProgress progress = reader->send_progress();
    if (progress.is_complete || progress.bytes != last.bytes) {
      last = {.bytes = progress.bytes, .at = now};
    } else if (now - last.at >= timeout_) {
      too_slow.push_back(reader);
    }
  }
  // The end of one may remove others.
  for (SlowReader* const reader : too_slow) {
    if (readers_.erase(reader) > 0) reader->end_as_too_slow();
  }
  if (!readers_.empty()) check_later();
}

}  // namespace fanfare::session
