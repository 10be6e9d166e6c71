#pragma once
// The CRC-32 that each row of a file of events carries.

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "fanfare/topic.h"

namespace fanfare::store {

// Of an event's row.
std::int64_t checksum_of(std::int64_t topic, Position position, std::int64_t time_ms, Bytes frame);
// Of a topic's row.
std::int64_t checksum_of(std::int64_t topic, std::string_view name, Position last);
// Of a number.
std::int64_t checksum_of(std::uint64_t number);

}  // namespace fanfare::store
