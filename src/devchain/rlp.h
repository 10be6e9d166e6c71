#pragma once
// Recursive Length Prefix, Ethereum's serialisation (Yellow Paper, appendix B).
//
//   byte 0x00-0x7f             itself
//   0x80 + n, n bytes          string of n <= 55 bytes
//   0xb7 + k, k bytes of n     longer string
//   0xc0 + n, n bytes          list whose items take n <= 55 bytes
//   0xf7 + k, k bytes of n     longer list
//
// Numbers are big-endian strings without leading zeros; zero is the empty string.

#include <optional>

#include "devchain/types.h"

namespace fanfare::devchain::rlp {

void append_bytes(Blob& out, Bytes bytes);
void append_number(Blob& out, Wei value);
// `payload` has the items, already encoded, one after another.
void append_list(Blob& out, Bytes payload);
void append_raw(Blob& out, Bytes encoded);

Blob list(Bytes payload);

// One decoded item. The views point into the input.
struct Item {
  bool is_list = false;
  Bytes payload;  // a string's bytes, or a list's items
  Bytes whole;    // with its prefix
};

// Removes the first item from `input` and returns it. Returns empty and leaves `input` unchanged if the bytes
// are truncated or not the shortest encoding.
std::optional<Item> take(Bytes& input);
// The items of a list payload; empty if any is malformed or there are more than `items_max`.
std::optional<std::vector<Item>> items(Bytes payload, std::size_t items_max);
// The number in an item; empty for a list, leading zeros, or more than 32 bytes. Saturates to kWeiMax.
std::optional<Wei> number(const Item& item);
std::optional<std::uint64_t> number_u64(const Item& item);

}  // namespace fanfare::devchain::rlp
