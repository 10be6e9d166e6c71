#include "streams/canonical.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "base/decimal.h"

namespace fanfare::streams {
namespace {

// RFC8785§3.2.3. UTF-8 sorts by code points. UTF-16 differs where one name has a surrogate pair (U+10000 and above) and
// the other a unit from U+E000 on, so those sort behind the pairs.
unsigned rank_of(unsigned char byte) {
  // A lead byte of a pair is 0xF0 and above; U+E000 to U+FFFF begin with 0xEE and 0xEF.
  if (byte == 0xEE || byte == 0xEF) return byte + 0x20U;
  return byte;
}

bool is_before(std::string_view left, std::string_view right) {
  return std::ranges::lexicographical_compare(left, right, [](char a, char b) {
    return rank_of(static_cast<unsigned char>(a)) < rank_of(static_cast<unsigned char>(b));
  });
}

void append(std::string& out, const Json& value);

void append_object(std::string& out, const Json& value) {
  std::vector<const JsonMember*> sorted;
  sorted.reserve(value.members.size());
  for (const JsonMember& member : value.members) sorted.push_back(&member);
  std::ranges::sort(sorted,
                    [](const JsonMember* a, const JsonMember* b) { return is_before(a->name, b->name); });
  out += '{';
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, sorted[i]->name);
    out += ':';
    append(out, sorted[i]->value);
  }
  out += '}';
}

void append(std::string& out, const Json& value) {
  switch (value.kind) {
    case Json::Kind::null:
    case Json::Kind::boolean:
    case Json::Kind::string:
      return value.write(out);
    case Json::Kind::number:
      out += number_text(double_of(value.text));
      return;
    case Json::Kind::array:
      out += '[';
      for (std::size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out += ',';
        append(out, value.items[i]);
      }
      out += ']';
      return;
    case Json::Kind::object:
      return append_object(out, value);
  }
}

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
    table[i] = value;
  }
  return table;
}

}  // namespace

std::string canonical_text(const Json& value) {
  std::string out;
  append(out, value);
  return out;
}

std::uint32_t crc32(Bytes bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = make_table();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) crc = (crc >> 8U) ^ kTable[(crc ^ byte) & 0xFFU];
  return ~crc;
}

}  // namespace fanfare::streams
