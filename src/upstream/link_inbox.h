#pragma once
// What a link has received and its owner has not worked off yet, bounded in number and bytes: past a bound
// the link stops reading its socket, until half of it is worked off, and TCP holds the node back.
//
//   link's thread:      if (inbox.push(...) == full) pause reading
//   executor's thread:  while (auto item = inbox.pop()) { handle(*item); if (inbox.worked_off(*item)) resume
//   }

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
  // At either of them nothing more is read. One message may be larger.
  std::size_t messages_max = 1024;
  std::size_t bytes_max = std::size_t{8} << 20;
};

// A JSON-RPC message, with the text that the views are in.
class NodeMessage {
 public:
  // `answer` is of `text`, which is copied.
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
  bool flooding = false;  // we ended it, for what the node sent
};

class LinkInbox {
 public:
  struct Item {
    std::variant<LinkOpened, NodeMessage, LinkLost> what;
    ByteHold hold = {};  // of the budget for what nodes have sent
  };
  struct Pushed {
    bool full = false;   // nothing more should be read
    bool first = false;  // the owner has to be told that there is something
  };

  explicit LinkInbox(InboxLimits limits) : limits_(limits) {}

  // The link's thread. What is pushed is never refused: the link stops reading instead.
  Pushed push(Item item);
  bool is_full() const;
  // The owner's thread. An item counts until worked_off(): true when that made room, and reading may go on.
  std::optional<Item> pop();
  bool worked_off(const Item& item);
  // Whether there is more. False: the next push() is a first one again.
  bool goes_on();

 private:
  bool is_full_locked() const { return messages_ >= limits_.messages_max || bytes_ >= limits_.bytes_max; }

  const InboxLimits limits_;
  mutable std::mutex mutex_;  // guards everything below
  std::deque<Item> items_;
  std::size_t messages_ = 0;  // waiting, or being worked off
  std::size_t bytes_ = 0;
  bool was_full_ = false;  // and not half empty since
  bool is_known_ = false;  // the owner will look
};

}  // namespace fanfare::upstream
