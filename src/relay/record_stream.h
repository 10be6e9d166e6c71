#pragma once
// The stream of Records. Waits for the broker's answer, for two seconds at most.

#include <cstdint>
#include <expected>
#include <string>

#include "fanfare/nats.h"
#include "relay/link.h"

namespace fanfare::relay {

struct RecordOptions;

struct RecordStream {
  std::int64_t created = 0;  // by the broker's clock: another one is another stream
  std::uint64_t last = 0;    // the highest revision
};

// Creates the stream if it does not exist. An existing stream keeps its limits. The error is for people.
std::expected<RecordStream, std::string> open_record_stream(Link& link, const NatsOptions& options,
                                                            const std::string& stream,
                                                            const RecordOptions& records);

}  // namespace fanfare::relay
