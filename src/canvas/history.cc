#include "canvas/history.h"

#include "base/check.h"

namespace fanfare::canvas {

void History::add(Version version, SharedBytes section) {
  FANFARE_CHECK(last_ == 0 || version == last_ + 1);
  last_ = version;
  bytes_ += section.size();
  sections_.push_back(std::move(section));
  while (!sections_.empty() && (sections_.size() > ticks_max_ || bytes_ > bytes_max_)) {
    bytes_ -= sections_.front().size();
    sections_.pop_front();
  }
}

bool History::covers(Version version) const {
  return last_ != 0 && version <= last_ && last_ - version <= sections_.size();
}

std::size_t History::bytes_after(Version version) const {
  FANFARE_CHECK(covers(version));
  std::size_t bytes = 0;
  const auto count = static_cast<std::size_t>(last_ - version);
  for (std::size_t i = sections_.size() - count; i < sections_.size(); ++i) bytes += sections_[i].size();
  return bytes;
}

void History::append_after(Version version, std::vector<SharedBytes>& out) const {
  FANFARE_CHECK(covers(version));
  const auto count = static_cast<std::size_t>(last_ - version);
  for (std::size_t i = sections_.size() - count; i < sections_.size(); ++i) out.push_back(sections_[i]);
}

}  // namespace fanfare::canvas
