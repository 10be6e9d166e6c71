#include "rpc/slices.h"

#include <utility>

#include "base/guard.h"

namespace fanfare::rpc {

Slices::Slices(net::Loop& loop, Clock& clock, SliceLoad* load)
    : loop_(loop), clock_(clock), load_(load), self_(std::make_shared<Slices*>(this)) {}

Slices::~Slices() {
  if (load_ != nullptr) {
    load_->remove_works(static_cast<std::uint32_t>(in_order_.size()),
                        static_cast<std::uint32_t>(in_turns_.size()));
  }
}

void Slices::run(Work work) {
  Slice slice(clock_);
  if (!work(slice)) return;
  in_order_.push_back(std::move(work));
  if (load_ != nullptr) load_->add_work();
  if (size() > 1) return;
  if (load_ != nullptr) used_before_ = thread_processor_time();
  go_on_next_turn();
}

void Slices::go_on_next_turn() {
  loop_.post([weak = std::weak_ptr(self_)] {
    if (const auto self = weak.lock()) (*self)->go_on();
  });
}

void Slices::go_on() {
  const bool takes_turn = in_order_.empty() || (turns_are_next_ && !in_turns_.empty());
  turns_are_next_ = !takes_turn;
  if (takes_turn) {
    go_on_in_turns();
  } else {
    go_on_in_order();
  }
  if (load_ != nullptr) note_turn();
  if (size() > 0) go_on_next_turn();
}

// Works are taken out while they have a slice: they may run another one.
void Slices::go_on_in_order() {
  Work work = std::move(in_order_.front());
  Slice slice(clock_);
  const bool has_more = work(slice);
  ++front_slices_;
  if (has_more && front_slices_ < kSlicesInOrder) {
    in_order_.front() = std::move(work);
    return;
  }
  in_order_.pop_front();
  if (load_ != nullptr) load_->work_had(front_slices_, has_more);
  front_slices_ = 0;
  if (has_more) in_turns_.push_back(std::move(work));
}

void Slices::go_on_in_turns() {
  Work work = std::move(in_turns_.front());
  Slice slice(clock_);
  const bool has_more = work(slice);
  in_turns_.pop_front();
  if (has_more) {
    in_turns_.push_back(std::move(work));
  } else if (load_ != nullptr) {
    load_->remove_turn_taker();
  }
}

void Slices::note_turn() {
  const Duration used = thread_processor_time();
  load_->note_turn(used - used_before_);
  used_before_ = used;
}

}  // namespace fanfare::rpc
