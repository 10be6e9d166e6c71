#include "rpc/slices.h"

#include <utility>

#include "base/guard.h"

namespace fanfare::rpc {

Slices::Slices(net::Loop& loop, Clock& clock, SliceLoad* load)
    : loop_(loop), clock_(clock), load_(load), self_(std::make_shared<Slices*>(this)) {}

Slices::~Slices() {
  if (load_ != nullptr) load_->remove_works(static_cast<std::uint32_t>(works_.size()));
}

void Slices::run(Work work) {
  Slice slice(clock_);
  if (!work(slice)) return;
  works_.push_back(std::move(work));
  if (load_ != nullptr) load_->add_work();
  if (works_.size() > 1) return;
  if (load_ != nullptr) used_before_ = thread_processor_time();
  go_on_next_turn();
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
  if (load_ != nullptr) {
    if (!has_more) load_->remove_works(1);
    note_turn();
  }
  if (!works_.empty()) go_on_next_turn();
}

void Slices::note_turn() {
  const Duration used = thread_processor_time();
  load_->note_turn(used - used_before_);
  used_before_ = used;
}

}  // namespace fanfare::rpc
