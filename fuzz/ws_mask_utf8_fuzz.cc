// Compares fast unmasking and UTF-8 validation with plain implementations, at any alignment and split.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "ws/mask.h"
#include "ws/utf8.h"

using namespace fanfare;
using namespace fanfare::ws;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6) return 0;
  const MaskKey key = load_mask_key(data);
  const std::size_t offset = data[4] % 64U;
  const std::size_t cut_hint = data[5];
  const Bytes input(data + 6, size - 6);

  // UTF-8 validation, first at some alignment, then in pieces.
  std::vector<std::uint8_t> placed(offset + input.size());
  std::ranges::copy(input, placed.begin() + static_cast<std::ptrdiff_t>(offset));
  const MutableBytes payload = MutableBytes(placed).subspan(offset);
  const bool valid = is_valid_utf8_plain(payload);
  FANFARE_CHECK(is_valid_utf8(payload) == valid);
  Utf8Validator validator;
  bool possible = true;
  Bytes left = payload;
  while (!left.empty() && possible) {
    const std::size_t piece = std::min<std::size_t>(left.size(), 1 + cut_hint);
    possible = validator.feed(left.first(piece));
    left = left.subspan(piece);
  }
  FANFARE_CHECK((possible && validator.complete()) == valid);

  // Unmasking: whole, with the plain implementation, and in two parts.
  std::vector<std::uint8_t> plain(input.begin(), input.end());
  const bool plain_ascii = unmask_plain(plain, key);
  std::vector<std::uint8_t> parts(input.begin(), input.end());
  const std::size_t cut = std::min(parts.size(), cut_hint);
  const bool first_ascii = unmask(MutableBytes(parts).first(cut), key);
  const bool second_ascii = unmask(MutableBytes(parts).subspan(cut), advance_mask_key(key, cut));
  const bool ascii = unmask(payload, key);
  FANFARE_CHECK(std::ranges::equal(payload, plain) && std::ranges::equal(parts, plain));
  FANFARE_CHECK(ascii == plain_ascii && ascii == (first_ascii && second_ascii));
  FANFARE_CHECK(!ascii || is_valid_utf8_plain(payload));
  return 0;
}
