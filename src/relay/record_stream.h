#pragma once
// The stream of Records. Waits for the broker's answer, for two seconds at most.

#include <expected>
#include <string>

#include "fanfare/nats.h"
#include "relay/link.h"

namespace fanfare::relay {

struct RecordOptions;

// Creates the stream if it does not exist. An existing stream keeps its limits. The error is for people.
std::expected<void, std::string> open_record_stream(Link& link, const NatsOptions& options,
                                                    const std::string& stream, const RecordOptions& records);

}  // namespace fanfare::relay
