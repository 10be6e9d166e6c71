#pragma once
// How topics are named at the broker, and how its short texts read.
//
//   stream    NAME_TOPIC            the topic's bytes, those that a stream's name cannot have as =HH
//   subject   NAME.TOPIC.EPOCH      where events are published: the broker refuses those of another epoch. The stream also has NAME.TOPIC.0, on
//                                   which nothing is published (jet_stream.cc)
//   notice    NAME=epochs.TOPIC.EPOCH   an instance has ended an epoch, and this one has begun. In no stream
//   delivery  $JS.ACK.STREAM.CONSUMER.ATTEMPT.STREAM_SEQUENCE.CONSUMER_SEQUENCE.TIME.PENDING

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fanfare::relay {

// Longer ones are refused: a stream is a folder of the broker.
inline constexpr std::size_t kTokenBytesMax = 180;
inline constexpr std::size_t kNameBytesMax = 32;  // of NatsOptions::name

// Whether it can be NatsOptions::name.
bool is_name(std::string_view name);
// Empty: the topic's name is too long.
std::optional<std::string> token_of(std::string_view topic);
std::string stream_of(std::string_view name, std::string_view token);
std::string subject_of(std::string_view name, std::string_view token, std::uint64_t epoch);
// Of such a subject or notice. Empty: it is no subject of ours.
std::optional<std::uint64_t> epoch_of(std::string_view subject);

// Of the stream's other subject, and of anything else that is no event.
inline constexpr std::uint64_t kNoEpoch = 0;

struct EpochNotice {
  std::string_view token;
  std::uint64_t epoch = 0;
};
// What to subscribe to for the notices of all topics.
std::string epoch_notices_of(std::string_view name);
std::string epoch_notice_of(std::string_view name, std::string_view token, std::uint64_t epoch);
// Points into `subject`. Empty: the subject is not that of a notice of this name.
std::optional<EpochNotice> read_epoch_notice(std::string_view name, std::string_view subject);

// Where a message stands, from its reply subject; the views point into it.
struct Delivery {
  std::string_view stream;
  std::string_view consumer;
  std::uint64_t stream_sequence = 0;
  std::uint64_t consumer_sequence = 0;  // counts what this consumer was sent
  std::uint64_t time = 0;  // when the broker stored it, in ns since 1970: the same in each delivery

  friend bool operator==(const Delivery&, const Delivery&) = default;
};
// Reads the forms of brokers before and since 2.10 (with a domain and an account). Empty: it is none.
std::optional<Delivery> delivery_of(std::string_view reply);

// The broker's answer to a published event.
struct Acknowledgement {
  std::uint64_t sequence = 0;  // zero: it was not stored
  int error = 0;               // the broker's err_code, with sequence zero
  std::string description = {};
  bool is_duplicate = false;  // it was stored before, at `sequence`
};
// Empty: it is none.
std::optional<Acknowledgement> acknowledgement_of(std::string_view json);

// The broker's answer to a question about a stream's state: whether something can be stored there. A broker that has the stream and
// no leader for it answers with what it has.
bool says_it_stores(std::string_view json);

// A server's URL without user, password or token, for the log.
std::string without_secret(std::string_view url);

}  // namespace fanfare::relay
