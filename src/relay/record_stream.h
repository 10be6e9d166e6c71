#pragma once
// Streams of records: that of Records, and that of presence; and what was deleted of any stream. The broker is asked, and waited for.

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "fanfare/nats.h"
#include "relay/known_streams.h"
#include "relay/link.h"

struct jsStreamConfig;

namespace fanfare::relay {

struct RecordOptions;

struct OpenedStream {
  std::int64_t created = 0;  // when, in ns since 1970: another stream of the same name has another time
  std::uint64_t last = 0;    // sequence
};

// The sequences between the stream's first and last that were deleted (nats stream rmm, a purge of one subject), in order. Waits for
// `wait_ms` at most. The error is for people.
std::expected<std::vector<std::uint64_t>, std::string> deleted_of(Link& link, const std::string& stream,
                                                                  std::int64_t wait_ms);

// Creates the stream of this name if it does not exist, one that was deleted after a pause; one that exists keeps its settings. Waits for
// each answer of the broker, for `wait_ms` at most. The error is for people.
std::expected<OpenedStream, std::string> open_stream(Link& link, KnownStreams& known, jsStreamConfig& config,
                                                     std::int64_t wait_ms);

// The stream of Records. Waits for two seconds at most.
std::expected<OpenedStream, std::string> open_record_stream(Link& link, KnownStreams& known,
                                                            const NatsOptions& options,
                                                            const std::string& stream,
                                                            const RecordOptions& records);

}  // namespace fanfare::relay
