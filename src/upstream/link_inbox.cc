#include "upstream/link_inbox.h"

namespace fanfare::upstream {
namespace {

std::size_t bytes_of(const LinkInbox::Item& item) {
  const auto* message = std::get_if<NodeMessage>(&item.what);
  return message == nullptr ? 0 : message->bytes();
}

}  // namespace

NodeMessage::NodeMessage(std::string_view text, const jsonrpc::Answer& answer)
    : text_(std::make_unique<const std::string>(text)), answer_(answer) {
  // Moves the views from the original text to the copy.
  for (std::string_view jsonrpc::Answer::* const member :
       {&jsonrpc::Answer::raw, &jsonrpc::Answer::id, &jsonrpc::Answer::result, &jsonrpc::Answer::error,
        &jsonrpc::Answer::method, &jsonrpc::Answer::params}) {
    std::string_view& view = answer_.*member;
    if (!view.empty()) {
      view =
          std::string_view(*text_).substr(static_cast<std::size_t>(view.data() - text.data()), view.size());
    }
  }
}

LinkInbox::Pushed LinkInbox::push(Item item) {
  const std::scoped_lock lock(mutex_);
  ++messages_;
  bytes_ += bytes_of(item);
  items_.push_back(std::move(item));
  was_full_ = was_full_ || is_full_locked();
  return {.full = was_full_, .first = !std::exchange(is_known_, true)};
}

bool LinkInbox::is_full() const {
  const std::scoped_lock lock(mutex_);
  return was_full_;
}

std::optional<LinkInbox::Item> LinkInbox::pop() {
  const std::scoped_lock lock(mutex_);
  if (items_.empty()) return std::nullopt;
  Item item = std::move(items_.front());
  items_.pop_front();
  return item;
}

bool LinkInbox::worked_off(const Item& item) {
  const std::scoped_lock lock(mutex_);
  --messages_;
  bytes_ -= bytes_of(item);
  if (messages_ > limits_.messages_max / 2 || bytes_ > limits_.bytes_max / 2) return false;
  return std::exchange(was_full_, false);
}

bool LinkInbox::goes_on() {
  const std::scoped_lock lock(mutex_);
  is_known_ = !items_.empty();
  return is_known_;
}

}  // namespace fanfare::upstream
