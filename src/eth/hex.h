#pragma once
// The two hex forms of Ethereum JSON: quantities (`0x1b4`, no leading zero) and data (`0x00ff`, two digits
// per byte). The parsers accept the variants that nodes send: either case, and leading zeros in a quantity.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace fanfare::eth {

struct Hash256 {
  std::array<std::uint8_t, 32> bytes{};
  friend bool operator==(const Hash256&, const Hash256&) = default;
  friend auto operator<=>(const Hash256&, const Hash256&) = default;
};

struct Address {
  std::array<std::uint8_t, 20> bytes{};
  friend bool operator==(const Address&, const Address&) = default;
  friend auto operator<=>(const Address&, const Address&) = default;
};

// Hashes and addresses are outputs of a hash function, so any eight bytes of them serve as a hash. Topics may
// be small numbers (in the last bytes) or texts (in the first bytes), so both ends are used.
struct FixedBytesHash {
  std::size_t operator()(const Hash256& value) const noexcept;
  std::size_t operator()(const Address& value) const noexcept;
};

// Empty: no `0x`, no digit, an invalid character, or more than 64 bits.
std::optional<std::uint64_t> parse_quantity(std::string_view text);
// Accepts `0x` and exactly two digits per byte of the output; false otherwise.
bool parse_data(std::string_view text, MutableBytes out);
std::optional<Hash256> parse_hash(std::string_view text);
std::optional<Address> parse_address(std::string_view text);

// Lower case.
std::string to_quantity(std::uint64_t value);
std::string to_hex(Bytes bytes);
inline std::string to_hex(const Hash256& hash) {
  return to_hex(Bytes(hash.bytes));
}
inline std::string to_hex(const Address& address) {
  return to_hex(Bytes(address.bytes));
}

}  // namespace fanfare::eth
