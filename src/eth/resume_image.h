#pragma once
// What one instance tells another about a session: the record (resume_record.h) as the next connection would find it. Its
// positions are cursors, which are valid on every instance.
//
//    0      version, 1
//    1  8   the instance that has the session, big-endian as all numbers
//    9      1: that instance has closed it in order, so nobody has more
//   10  2   how many cursors; each: | length 2 | text |
//       2   how many subscriptions, in the order in which they were made; each:
//           | topic 16 | id 16 | flags: 1 incomplete, 2 stale | from 2 | count 2 | may have, each 2 |
//
// `from` and `may have` count in the list of cursors: subscriptions of one position share its text.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eth/subscription_id.h"

namespace fanfare::eth {

// Identifies a type with its canonical parameters, on every instance.
using TopicHash = pubsub::TopicKey;

struct ResumeImage {
  struct Subscription {
    TopicHash topic{};
    SubscriptionId id{};
    std::string from;                   // the client has everything up to this cursor
    std::vector<std::string> may_have;  // it may have everything up to these, the first one first
    bool is_incomplete = false;         // there were more of these
    // It may also have what was sent after the image was made, of which nobody knows.
    bool is_stale = false;

    friend bool operator==(const Subscription&, const Subscription&) = default;
  };
  std::vector<Subscription> subscriptions;

  friend bool operator==(const ResumeImage&, const ResumeImage&) = default;
};

struct SharedSession {
  std::uint64_t instance = 0;
  // How often an instance had taken it from another one. Of two copies, the one with more is the later one, whatever the broker says of
  // their order: it may have lost its end.
  std::uint32_t turn = 0;
  bool is_closed = false;
  ResumeImage image;

  friend bool operator==(const SharedSession&, const SharedSession&) = default;
};

inline constexpr std::size_t kMayHaveMax = 64;  // of one subscription

// At most `bytes_max` bytes. If it would have more, positions that clients may have are left out: is_incomplete. Empty: it is
// still too long.
std::optional<std::string> encode_session(const SharedSession& session, std::size_t bytes_max);
// Empty: not what encode_session() makes, or of another version.
std::optional<SharedSession> decode_session(std::string_view bytes);

}  // namespace fanfare::eth
