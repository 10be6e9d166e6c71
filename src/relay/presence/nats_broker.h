#pragma once
// PresenceBroker on NATS JetStream, and what else presence needs of it: the stream of all topics' records, consumers of one topic's, and
// the messages by which instances hear each other.
//
//   stream    NAME=presence
//   subjects  NAME=presence.log.TOPIC.told        NAME=presence.log.TOPIC.m.INSTANCE-TURN
//             NAME=presence.alive, not stored: "INSTANCE NUMBER"

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "base/random.h"
#include "fanfare/nats.h"
#include "relay/jet_stream.h"
#include "relay/known_streams.h"
#include "relay/link.h"
#include "relay/presence/broker.h"
#include "relay/record_stream.h"

namespace fanfare::relay {

class NatsPresenceBroker final : public PresenceBroker {
 public:
  // Both outlive this.
  NatsPresenceBroker(Link& link, const NatsOptions& options);

  // Creates the stream, if there is none. The error is for people, as that of consume().
  std::expected<OpenedStream, std::string> open();
  struct Consumer {
    std::string name;
    std::uint64_t pending = 0;  // records that it had to deliver when it began
  };
  std::expected<Consumer, std::string> consume(const std::string& topic, std::uint64_t from,
                                               const std::string& deliver_to);
  // When the broker stored the record in this place, in ns since 1970 (Delivery::time); zero: it has none there.
  std::expected<std::uint64_t, std::string> time_of(std::uint64_t sequence);
  // Whether the record in this place was deleted, as a purge does.
  std::expected<bool, std::string> is_deleted(std::uint64_t sequence);
  // The broker has acknowledged a record of this topic. Set before the first append().
  std::function<void(const std::string& topic, std::uint64_t sequence)> on_stored;
  std::string stream() const { return prefix_; }
  std::string alive() const { return prefix_ + ".alive"; }
  // The topic's token and the log of a record's subject; empty: it is none of ours.
  struct Source {
    std::string token;
    std::optional<MemberLog> log;
  };
  std::optional<Source> source_of(std::string_view subject) const;

  Stored append(const PresenceSubject& subject, const std::string& record, std::uint64_t after) override;
  bool purge(const PresenceSubject& subject, std::uint64_t before) override;
  std::optional<StreamState> state_of(const std::string& topic) override;
  std::optional<Searched> search(const std::string& topic, std::uint64_t event, std::uint64_t after,
                                 std::uint64_t until) override;
  Stored publish(const std::string& topic, const SharedBytes& payload, std::uint64_t event,
                 std::uint64_t epoch, std::optional<std::uint64_t> after) override;

  // Messages of the topic that search() looks at.
  static constexpr std::uint64_t kSearchedMax = 256;

 private:
  std::string subject_of_log(const PresenceSubject& subject) const;
  Stored put(const std::string& subject, Bytes payload, const std::vector<Header>& headers);

  Link& link_;
  KnownStreams known_;
  const NatsOptions& options_;
  const std::string prefix_;
  JetStream topics_;
  SystemRandom random_;
};

}  // namespace fanfare::relay
