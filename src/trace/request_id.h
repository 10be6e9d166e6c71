#pragma once
// Ids of requests (X-Request-Id): an operator finds with one what the gateway, its log and its nodes wrote
// about a request. Pure; any thread.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fanfare::trace {

inline constexpr std::string_view kRequestIdHeader = "X-Request-Id";
// A client's longer id is replaced by one of our own.
inline constexpr std::size_t kRequestIdBytesMax = 128;

// Whether a client's id may be used: 1 to kRequestIdBytesMax letters, digits and -._~:/+=@, so that it needs no quotes in a
// log, a header or JSON.
bool is_request_id(std::string_view text);

// A number that is evenly distributed over different ids, for samples. The same for the same arguments in every process.
std::uint64_t sample_of(std::string_view id, std::uint64_t index);

}  // namespace fanfare::trace
