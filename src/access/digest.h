#pragma once
// Digests of secrets, and the encodings in which secrets come. Secrets are compared as digests in constant time: how
// long a comparison takes reveals nothing about them. Any thread.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fanfare::access {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view bytes);
// RFC 2104 with SHA-256.
Digest hmac_sha256(std::string_view key, std::string_view bytes);
// In constant time.
bool same(const Digest& one, const Digest& other);
// Of two texts of any length; their digests are compared.
bool same_secret(std::string_view one, std::string_view other);

std::string to_hex(const Digest& digest);
// Exactly 64 hexadecimal digits, of either case.
std::optional<Digest> digest_from_hex(std::string_view text);

// RFC 4648 §4 with its padding, and §5 without padding as RFC 7515 §2 has it. Strict: other characters, white space,
// wrong padding and spare bits that are not zero are refused, so a text has one encoding.
std::optional<std::string> base64_decoded(std::string_view text);
std::optional<std::string> base64url_decoded(std::string_view text);

}  // namespace fanfare::access
