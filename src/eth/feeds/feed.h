#pragma once
// A subscription type: what its file must supply. Each type has a Feed on every loop. A type that asks the node
// for something of its own also has a FeedSource, on the thread that talks to the nodes.
//
//   FeedSource  --FeedEvent-->  Feed  --texts-->  FeedLoop (SubscriptionManager)  -->  subscribers
//        ^                       ^
//      calls               SourceEvent (source_event.h)
//
// No I/O. Each object is used on one thread.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "eth/cursor.h"
#include "eth/history.h"
#include "eth/interest.h"
#include "eth/listening.h"
#include "eth/source_event.h"
#include "eth/subscription_id.h"
#include "eth/subscription_params.h"
#include "jsonrpc/upstream_call.h"

namespace fanfare::eth {

struct ChainSourceOptions;

// The caller's key for a connection; unique on this loop while the connection lives.
using ConnectionKey = std::uint64_t;

// A group is one topic with its subscribers on one loop. Its index is used for another topic once it is empty.
using GroupIndex = std::uint32_t;

struct FeedGroup {
  SubscriptionType type{};
  std::uint32_t generation = 0;  // differs for each topic that uses the index
  bool has_cursors = false;
  bool ends_with_notice = false;
  bool is_tracked = false;  // of sessions: it has cursors, but its clients are sent neither those nor notices
  std::uint64_t last_told = 0;  // for the feed: the block of the last notification
};

// The parts of a notification that differ between topics. Borrowed for the call.
struct Notification {
  std::string_view member;  // "result" or "notice"
  std::string_view json;
  std::string_view cursor = {};  // may be empty
  bool retracts = false;         // a reorg removes what was sent before
  bool is_gap = false;           // a notice that something was missed
};

// What a feed may use of its loop. A delivery may end connections, and so remove groups, this one included.
class FeedLoop {
 public:
  using Fits = std::function<bool(GroupIndex)>;

  // The same on every loop of the process, and secret.
  virtual const Salt& salt() const = 0;
  // The chain as published on this loop.
  virtual const Trail& trail() const = 0;
  virtual FeedGroup& group(GroupIndex group) = 0;
  // Returns how many subscribers accepted it.
  virtual std::size_t publish(GroupIndex group, const Notification& text) = 0;
  // The live subscriptions of the type that have cursors are no longer live: they get everything after their
  // position from the history.
  virtual void replay(SubscriptionType type) = 0;
  // Closes the connections with live subscriptions in these groups: a stream that looks unbroken must be
  // unbroken. The caller of the manager does it after the event.
  virtual void close(const Fits& fits, std::string why) = 0;
  // Ends the live subscriptions in these groups with a notice.
  virtual void end(const Fits& fits, std::string_view why) = 0;
  // As SubscriptionManager::activate(), for a subscription that Feed::must_wait() held back.
  virtual void activate_held(ConnectionKey connection, const std::string& id) = 0;
  // For the metrics: the logs of one more block were matched.
  virtual void count_match() = 0;

 protected:
  ~FeedLoop() = default;
};

// One subscription type on one loop.
class Feed {
 public:
  Feed(FeedLoop& loop, SubscriptionType type) : loop_(loop), type_(type) {}
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  virtual ~Feed() = default;

  // The group has its first subscriber, or lost its last one. What the row's `parse` read may be moved from.
  void add(GroupIndex group, SubscriptionRequest& wanted);
  void remove(GroupIndex group);
  bool is_empty() const { return groups_.empty(); }

  // Adds what the source must fetch for the groups.
  virtual void add_interest(Interest& interest) const = 0;

  // Takes an event. The loop's trail already ends at an added block, and still at a removed one.
  virtual void on_event(const SourceEvent& event) = 0;
  // Continues an event that takes long: checks or notifies at most `work_max` filters. True when it is done;
  // nothing is activated before.
  virtual bool step(std::size_t work_max);
  // The event is done on all feeds. The trail has left a removed block.
  virtual void on_event_over() {}
  // The next event does not continue the chain published here: positions replay, then it follows.
  virtual void on_break() {}
  // The first block is known here: earlier subscribers are sent their position.
  virtual void on_first_head();
  // An event is lost for all subscribers of this loop.
  virtual void lose(const std::string& why);

  // --- subscriptions becoming live ---
  // Holds it back; the feed calls FeedLoop::activate_held() later.
  virtual bool must_wait(ConnectionKey connection, std::string_view id);
  virtual void on_live() {}
  // What a subscription without a cursor of its own gets first; empty: nothing.
  struct Greeting {
    bool is_notice = false;
    std::string json;
    std::string cursor;
  };
  virtual std::optional<Greeting> greeting(const FeedGroup& group) const;
  // Where the type's live subscriptions are.
  virtual const Trail& trail() const { return loop_.trail(); }

  // --- replay from a cursor (replay.h); only for types whose cursor option is `resumes` ---
  virtual HistoryNeeds history_needs() const { return {}; }
  struct Replayed {
    std::string json;
    std::uint32_t logs_told = 0;  // of the block; Position::kAll: all
  };
  // The next notification about the event's block; empty: no more. `step` is 0 at first, and the feed's own.
  virtual std::optional<Replayed> replay_added(GroupIndex group, const HistoryEvent& event,
                                               std::size_t& step);
  virtual std::optional<Replayed> replay_removed(GroupIndex group, const HistoryEvent& event,
                                                 std::size_t& step);
  // A subscription went live at this position, which may know more ancestors than the trails here.
  virtual void on_replayed(const Position& position);

 protected:
  enum class Whom : std::uint8_t { all, with_cursors, without_cursors };
  const std::set<GroupIndex>& groups() const { return groups_; }
  bool has(Whom whom);
  // Publishes to each of the groups; returns how many subscribers accepted it.
  std::size_t publish(Whom whom, const Notification& text);
  void publish_missed(std::uint64_t first, std::uint64_t last, MissedBecause because);
  // Groups with cursors that were sent nothing for long get the position, so that their cursors stay recent.
  void publish_position_to_silent_groups(const Header& header, const Trail& at);
  // Closes the connections of live subscriptions of this type that have no notice for missed data.
  void close_without_notices(std::string why);

  FeedLoop& loop_;
  const SubscriptionType type_;

 private:
  virtual void on_added(GroupIndex, SubscriptionRequest&) {}
  virtual void on_removed(GroupIndex) {}
  // The groups with their generations, as of now.
  std::vector<std::pair<GroupIndex, std::uint32_t>> groups_now(Whom whom);

  std::set<GroupIndex> groups_;
};

// What a type asks the node for, for all loops.
class FeedSource {
 public:
  FeedSource() = default;
  FeedSource(const FeedSource&) = delete;
  FeedSource& operator=(const FeedSource&) = delete;
  virtual ~FeedSource() = default;

  // Whether any loop has subscribers. Without them the source makes no calls.
  virtual void set_wanted(bool wanted, Instant now) = 0;
  // One more loop has its first subscriber.
  virtual void on_new_loop() {}
  // An event of the chain view, after it was reported.
  virtual void on_chain_event(const ChainEvent&, Instant) {}
  virtual void on_timer(Instant now) = 0;
  // False: the call is not, or no longer, one of this source.
  virtual bool on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) = 0;
  virtual std::vector<jsonrpc::UpstreamCall> take_calls() = 0;
  // The bodies of FeedEvents.
  virtual std::vector<std::any> take_events() = 0;
  virtual std::optional<Instant> next_timer() const = 0;
  // Whether this block is known here and part of the chain.
  virtual bool shows(std::uint64_t, const Hash256&) const { return false; }

  // Only if the row has `not_listening`. take_listening() follows take_events().
  virtual std::uint64_t await_listening(Instant now);
  virtual std::vector<Listening> take_listening() { return {}; }

  // Where the type's subscriptions resume, if not from the chain's own history. The source passes on its calls
  // and timers; ChainSource pumps it.
  virtual History* history() { return nullptr; }
};

enum class CursorOption : std::uint8_t {
  none,     // the option is rejected
  notices,  // `true` asks for notices; there is no position to resume from
  resumes,
};

// The contracts whose data a subscription shows, for callers who may see only some.
enum class ShownContracts : std::uint8_t {
  every,       // any contract; also the answer for a type that does not say it
  of_address,  // those in the `address` of its parameter
  none,        // it shows no data of contracts
};

// A row of the table.
struct FeedType {
  std::string_view name;  // in eth_subscribe
  ShownContracts contracts = ShownContracts::every;
  bool has_parameter = false;
  CursorOption cursor = CursorOption::none;
  bool latest_if_slow = false;  // {"slow":"latest"} is possible
  // Clients lose what comes together with the answer to eth_subscribe: activate a little later.
  bool activates_later = false;
  // eth_subscribe is answered when the source listens, or with this text. It needs a source. Empty: at once.
  std::string_view not_listening = {};
  // Reads the type's own parameter ("": absent) into the request: `own`, `alternatives`, and appended to
  // `topic`. The error is the message that goes with -32602. Null: it has none.
  std::expected<void, std::string> (*parse)(std::string_view parameter,
                                            SubscriptionRequest& request) = nullptr;
  std::unique_ptr<Feed> (*make)(FeedLoop& loop, SubscriptionType type);
  // Null: the events of the chain are enough.
  std::unique_ptr<FeedSource> (*make_source)(const ChainSourceOptions& options, jsonrpc::CallIds& call_ids,
                                             Random& random) = nullptr;
};

// feed_table.cc
const FeedType& feed_type(SubscriptionType type);
// Null: there is no such type.
const FeedType* find_feed_type(std::string_view name);

}  // namespace fanfare::eth
