#include "pubsub/backlog.h"

#include <utility>

#include "base/check.h"

namespace fanfare::pubsub {

Backlog::Backlog(std::size_t frames_max) : frames_max_(frames_max) {
  FANFARE_CHECK(frames_max > 0);
}

void Backlog::add(SharedBytes frame) {
  if (frames_.size() == frames_max_) drop_oldest();
  bytes_ += frame.size();
  frames_.push_back(std::move(frame));
}

std::optional<Backlog::Next> Backlog::take() {
  if (frames_.empty()) return std::nullopt;
  Next next{.missed = std::exchange(missed_, 0), .frame = std::move(frames_.front())};
  frames_.pop_front();
  bytes_ -= next.frame.size();
  return next;
}

void Backlog::set_frames_max(std::size_t frames_max) {
  FANFARE_CHECK(frames_max > 0);
  frames_max_ = frames_max;
  while (frames_.size() > frames_max_) drop_oldest();
}

void Backlog::drop_oldest() {
  bytes_ -= frames_.front().size();
  frames_.pop_front();
  ++missed_;
}

}  // namespace fanfare::pubsub
