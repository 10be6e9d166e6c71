#include "rpc/slices.h"

#include <utility>

#include "base/guard.h"

namespace fanfare::rpc {

Slices::Slices(net::Loop& loop, Clock& clock)
    : loop_(loop), clock_(clock), self_(std::make_shared<Slices*>(this)) {}

void Slices::run(Work work) {
  Slice slice(clock_);
  if (!work(slice)) return;
  works_.push_back(std::move(work));
  if (works_.size() == 1) go_on_next_turn();
}

void Slices::go_on_next_turn() {
  loop_.post([weak = std::weak_ptr(self_)] {
    if (const auto self = weak.lock()) (*self)->go_on();
  });
}

void Slices::go_on() {
  // Taken out meanwhile: the work may run another one.
  Work work = std::move(works_.front());
  Slice slice(clock_);
  const bool has_more = work(slice);
  works_.pop_front();
  if (has_more) works_.push_back(std::move(work));
  if (!works_.empty()) go_on_next_turn();
}

}  // namespace fanfare::rpc
