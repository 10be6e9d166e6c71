#pragma once
// The canonical text of a JSON value (RFC 8785), and its checksum, by which a client proves that it holds the same
// value as the server.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "streams/json.h"

namespace fanfare::streams {

// RFC8785§3.2: no white space, members sorted by the UTF-16 code units of their names, numbers as doubles.
std::string canonical_text(const Json& value);

// CRC-32 as in zlib, PNG and Ethernet (reflected, polynomial 0x04C11DB7).
std::uint32_t crc32(Bytes bytes);

inline std::uint32_t checksum_of(const Json& value) {
  const std::string text = canonical_text(value);
  return crc32(as_bytes(text));
}

}  // namespace fanfare::streams
