#include "canvas/undo_log.h"

namespace fanfare::canvas {

std::uint64_t UndoLog::add(const Drawn& drawn) {
  if (pixels_max_ == 0) return 0;
  if (ring_.size() >= pixels_max_) {
    ring_.pop_front();
    ++first_;
  }
  ring_.push_back(drawn);
  return first_ + ring_.size() - 1;
}

const Drawn* UndoLog::find(std::uint64_t number) const {
  if (number < first_ || number - first_ >= ring_.size()) return nullptr;
  return &ring_[static_cast<std::size_t>(number - first_)];
}

void UndoLog::set_previous(std::uint64_t number, std::uint64_t previous) {
  if (number >= first_ && number - first_ < ring_.size())
    ring_[static_cast<std::size_t>(number - first_)].previous = previous;
}

}  // namespace fanfare::canvas
