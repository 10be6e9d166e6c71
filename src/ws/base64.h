#pragma once
// Base64 with padding, RFC 4648 §4: only what the handshake needs. Any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace fanfare::ws {

std::string base64_encode(Bytes bytes);

// Returns the bytes, or empty if the text is not base64: an invalid character, or missing or misplaced
// padding. RFC4648§3.5: the spare bits before the padding are not checked. A decoder may ignore them, and
// some clients choose the characters of their key at random.
std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text);

}  // namespace fanfare::ws
