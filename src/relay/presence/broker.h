#pragma once
// What presence asks of the broker. Each function waits for the answer, for a second or so. On the thread of presence.

#include <cstdint>
#include <optional>
#include <string>

#include "base/shared_bytes.h"
#include "fanfare/topic.h"
#include "relay/presence/record.h"
#include "relay/reader.h"

namespace fanfare::relay {

// A subject of a topic: the log of an instance, or the told log.
struct PresenceSubject {
  std::string topic;
  std::optional<MemberLog> log = {};  // empty: the told log
};

class PresenceBroker {
 public:
  enum class Put : std::uint8_t {
    stored,
    refused,     // certainly not stored: something else is there
    unknown,     // no answer
    impossible,  // it is too large
  };
  struct Stored {
    Put put = Put::unknown;
    std::uint64_t sequence = 0;
  };

  // Only directly behind the subject's record `after` (zero: it has none).
  virtual Stored append(const PresenceSubject& subject, const std::string& record, std::uint64_t after) = 0;
  // Deletes the subject's records before this one; zero: all.
  virtual bool purge(const PresenceSubject& subject, std::uint64_t before) = 0;

  // The topic's own stream, which is made if there is none. Empty: no answer.
  virtual std::optional<StreamState> state_of(const std::string& topic) = 0;
  struct Searched {
    bool is_found = false;
    std::uint64_t until = 0;  // searched up to there
  };
  // The event with this id among those behind `after`, up to `until`: a part of them. Empty: no answer.
  virtual std::optional<Searched> search(const std::string& topic, std::uint64_t event, std::uint64_t after,
                                         std::uint64_t until) = 0;
  // With an id by which the broker recognises it for a while; only directly behind `after`, if that is given.
  virtual Stored publish(const std::string& topic, const SharedBytes& payload, std::uint64_t event,
                         std::uint64_t epoch, std::optional<std::uint64_t> after) = 0;

 protected:
  ~PresenceBroker() = default;
};

}  // namespace fanfare::relay
