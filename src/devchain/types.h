#pragma once
// The chain's basic values: hashes, addresses, amounts, and their hexadecimal form.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace fanfare::devchain {

using Hash = std::array<std::uint8_t, 32>;
using Address = std::array<std::uint8_t, 20>;
using Blob = std::vector<std::uint8_t>;
// Amounts. Ethereum's have 256 bits; amounts on this chain never exceed 2^128 - 1. A decoder saturates larger
// values, so that they fail the balance check.
__extension__ typedef unsigned __int128 Wei;
inline constexpr Wei kWeiMax = ~static_cast<Wei>(0);
inline constexpr Wei kGwei = 1'000'000'000;
inline constexpr Wei kEther = kGwei * kGwei;

struct FirstBytesHasher {
  template <typename Array>
  std::size_t operator()(const Array& bytes) const {
    std::size_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
};

// "0x" and two digits per byte.
std::string hex(Bytes bytes);
// A quantity: "0x" and the digits without leading zeros; "0x0" for none.
std::string quantity(Wei value);
// The same for a whole word, which may exceed Wei.
std::string quantity(const Hash& word);
std::string decimal(Wei value);

// The bytes of "0x" and an even number of digits of either case; empty for other text.
std::optional<Blob> parse_hex(std::string_view text);
// A quantity as above, at most 32 bytes of it; leading zeros are rejected, as in geth. More than 128 bits
// saturate to kWeiMax.
std::optional<Wei> parse_quantity(std::string_view text);
std::optional<Hash> parse_hash(std::string_view text);
std::optional<Address> parse_address(std::string_view text);

// Big-endian in 32 bytes, and back; larger values saturate.
Hash word(Wei value);
Hash word(const Address& address);
Wei number_of(Bytes big_endian);
Address address_of_word(const Hash& word);

}  // namespace fanfare::devchain
