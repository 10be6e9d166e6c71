#include "jsonrpc/scan.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "base/hex.h"

namespace fanfare::jsonrpc {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Four hexadecimal digits at `at`, or -1.
int hex4(const char* at) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// The bytes of a string that need no further check: printable ASCII except the quote and the backslash.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (unsigned c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

// How many of the eight bytes at `at` (in memory order) are plain, counted from the first. The result may be
// too small after a byte that is not plain, but never too large.
unsigned plain_prefix(const char* at) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHigh = 0x8080808080808080U;
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  const auto zero_bytes = [](std::uint64_t x) { return (x - kOnes) & ~x; };
  const std::uint64_t quote = zero_bytes(word ^ (kOnes * '"'));
  const std::uint64_t backslash = zero_bytes(word ^ (kOnes * '\\'));
  const std::uint64_t control = word - kOnes * 0x20;
  const std::uint64_t stop = (quote | backslash | control | word) & kHigh;
  if constexpr (std::endian::native == std::endian::little) {
    return static_cast<unsigned>(std::countr_zero(stop)) / 8;
  } else {
    return stop == 0 ? 8 : 0;
  }
}

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

}  // namespace

void Scanner::skip_space() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

bool Scanner::consume(char expected) {
  if (at_ == end_ || *at_ != expected) return false;
  ++at_;
  return true;
}

bool Scanner::skip_string(bool* escaped) {
  *escaped = false;
  if (!consume('"')) return false;
  while (true) {
    while (end_ - at_ >= 8) {
      const unsigned plain = plain_prefix(at_);
      at_ += plain;
      if (plain < 8) break;
    }
    while (at_ != end_ && kPlain[static_cast<unsigned char>(*at_)]) ++at_;
    if (at_ == end_) return false;
    const auto byte = static_cast<unsigned char>(*at_);
    if (byte == '"') {
      ++at_;
      return true;
    }
    if (byte == '\\') {
      *escaped = true;
      if (!skip_escape()) return false;
    } else if (byte >= 0x80) {
      if (!skip_utf8()) return false;
    } else {
      return false;  // RFC8259§7: control characters must be escaped.
    }
  }
}

bool Scanner::skip_escape() {
  if (end_ - at_ < 2) return false;
  const char kind = at_[1];
  at_ += 2;
  if (kind != 'u') return kind != '\0' && std::strchr("\"\\/bfnrt", kind) != nullptr;
  if (end_ - at_ < 4) return false;
  const int unit = hex4(at_);
  if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return false;
  at_ += 4;
  if (unit < 0xD800 || unit > 0xDBFF) return true;
  if (end_ - at_ < 6 || at_[0] != '\\' || at_[1] != 'u') return false;
  const int low = hex4(at_ + 2);
  if (low < 0xDC00 || low > 0xDFFF) return false;
  at_ += 6;
  return true;
}

// RFC3629§4: no overlong forms, no surrogates, nothing above U+10FFFF.
bool Scanner::skip_utf8() {
  const auto byte = [this](int i) { return static_cast<unsigned char>(at_[i]); };
  const auto continues = [&byte](int i) { return (byte(i) & 0xC0) == 0x80; };
  const std::ptrdiff_t left = end_ - at_;
  const unsigned lead = byte(0);
  if (lead >= 0xC2 && lead <= 0xDF) {
    if (left < 2 || !continues(1)) return false;
    at_ += 2;
    return true;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (left < 3 || !continues(1) || !continues(2)) return false;
    if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return false;
    at_ += 3;
    return true;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (left < 4 || !continues(1) || !continues(2) || !continues(3)) return false;
    if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return false;
    at_ += 4;
    return true;
  }
  return false;
}

bool Scanner::skip_number() {
  const auto digits = [this] {
    if (at_ == end_ || !is_digit(*at_)) return false;
    while (at_ != end_ && is_digit(*at_)) ++at_;
    return true;
  };
  consume('-');
  // RFC8259§6: no leading zeros.
  if (!consume('0') && !digits()) return false;
  if (consume('.') && !digits()) return false;
  if (peek() == 'e' || peek() == 'E') {
    ++at_;
    if (!consume('+')) consume('-');
    if (!digits()) return false;
  }
  return true;
}

bool Scanner::skip_word(std::string_view word) {
  if (static_cast<std::size_t>(end_ - at_) < word.size()) return false;
  if (std::memcmp(at_, word.data(), word.size()) != 0) return false;
  at_ += word.size();
  return true;
}

bool Scanner::skip_array(std::uint32_t depth_max) {
  if (depth_max == 0) {
    is_too_deep_ = true;
    return false;
  }
  ++at_;
  skip_space();
  if (consume(']')) return true;
  while (true) {
    if (!skip_value(depth_max - 1)) return false;
    skip_space();
    if (consume(']')) return true;
    if (!consume(',')) return false;
    skip_space();
  }
}

bool Scanner::skip_object(std::uint32_t depth_max) {
  if (depth_max == 0) {
    is_too_deep_ = true;
    return false;
  }
  ++at_;
  skip_space();
  if (consume('}')) return true;
  while (true) {
    bool escaped = false;
    if (!skip_string(&escaped)) return false;
    skip_space();
    if (!consume(':')) return false;
    skip_space();
    if (!skip_value(depth_max - 1)) return false;
    skip_space();
    if (consume('}')) return true;
    if (!consume(',')) return false;
    skip_space();
  }
}

bool Scanner::skip_value(std::uint32_t depth_max) {
  bool escaped = false;
  switch (peek()) {
    case '"':
      return skip_string(&escaped);
    case '{':
      return skip_object(depth_max);
    case '[':
      return skip_array(depth_max);
    case 't':
      return skip_word("true");
    case 'f':
      return skip_word("false");
    case 'n':
      return skip_word("null");
    default:
      return skip_number();
  }
}

bool Scanner::skip_unchecked(const char* from) {
  at_ = from;
  is_too_deep_ = false;
  std::size_t depth = 0;
  do {
    if (at_end()) return false;
    bool escaped = false;
    switch (*at_) {
      case '"':
        if (!skip_string(&escaped)) return false;
        continue;
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        --depth;
        break;
      default:
        break;
    }
    ++at_;
  } while (depth > 0);
  return true;
}

void append_unescaped(std::string& out, std::string_view content) {
  std::size_t i = 0;
  while (i < content.size()) {
    const std::size_t backslash = content.find('\\', i);
    out.append(content.substr(i, backslash - i));
    if (backslash == std::string_view::npos || backslash + 1 >= content.size()) return;
    const char kind = content[backslash + 1];
    i = backslash + 2;
    switch (kind) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        if (content.size() - i < 4) return;
        auto code_point = static_cast<std::uint32_t>(hex4(content.data() + i));
        i += 4;
        if (code_point >= 0xD800 && code_point <= 0xDBFF && content.size() - i >= 6) {
          const auto low = static_cast<std::uint32_t>(hex4(content.data() + i + 2));
          code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
          i += 6;
        }
        append_utf8(out, code_point);
        break;
      }
      default:  // a quote, a backslash or a slash represents itself
        out.push_back(kind);
        break;
    }
  }
}

}  // namespace fanfare::jsonrpc
