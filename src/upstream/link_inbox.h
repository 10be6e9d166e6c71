#pragma once
// The messages that a link has received and its owner has not processed yet, bounded in number and bytes. At
// a bound the link stops reading its socket, until half is processed, and TCP holds the node back.
//
//   link's thread:      if (inbox.push(...) == full) pause reading
//   executor's thread:  while (auto item = inbox.pop()) {
//                         handle(*item);
//                         if (inbox.worked_off(*item)) resume reading
//                       }

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/byte_budget.h"
#include "jsonrpc/response.h"

namespace fanfare::upstream {

struct InboxLimits {
  // Reading stops at either bound. One message may be larger.
  std::size_t messages_max = 1024;
  std::size_t bytes_max = std::size_t{8} << 20;
};

// A JSON-RPC message, with the text that its views point to.
class NodeMessage {
 public:
  // `answer` has views of `text`, which is copied.
  NodeMessage(std::string_view text, const jsonrpc::Answer& answer);

  const jsonrpc::Answer& answer() const { return answer_; }
  std::size_t bytes() const { return text_->size(); }

 private:
  std::unique_ptr<const std::string> text_;
  jsonrpc::Answer answer_;
};

struct LinkOpened {};
struct LinkLost {
  std::string why;
  bool flooding = false;     // the link was closed because the node floods
  bool unreachable = false;  // nobody accepted the connection
};

class LinkInbox {
 public:
  struct Item {
    std::variant<LinkOpened, NodeMessage, LinkLost> what;
    ByteHold hold = {};  // from the memory share for received messages
  };
  struct Pushed {
    bool full = false;   // reading should stop
    bool first = false;  // the owner must be notified
  };

  explicit LinkInbox(InboxLimits limits) : limits_(limits) {}

  // The link's thread. An item is never rejected: the link stops reading instead.
  Pushed push(Item item);
  bool is_full() const;
  // The owner's thread. An item counts until worked_off(), which returns true if reading may continue.
  std::optional<Item> pop();
  bool worked_off(const Item& item);
  // Whether there are more items. After false, the next push() counts as the first again.
  bool goes_on();

 private:
  bool is_full_locked() const { return messages_ >= limits_.messages_max || bytes_ >= limits_.bytes_max; }

  const InboxLimits limits_;
  mutable std::mutex mutex_;  // guards everything below
  std::deque<Item> items_;
  std::size_t messages_ = 0;  // waiting or being processed
  std::size_t bytes_ = 0;
  bool was_full_ = false;  // and has not been half empty since
  bool is_known_ = false;  // the owner was notified and will look
};

}  // namespace fanfare::upstream
