#pragma once
// RFC6455§8.1, RFC3629§4: text is UTF-8. A message may be split anywhere, even inside a character.
//
//   first byte   then                              so that
//   00-7F
//   C2-DF        80-BF                             no two-byte form of ASCII
//   E0           A0-BF 80-BF                       no three-byte form of what fits two
//   E1-EC EE EF  80-BF 80-BF
//   ED           80-9F 80-BF                       no surrogates
//   F0           90-BF 80-BF 80-BF                 no four-byte form of what fits three
//   F1-F3        80-BF 80-BF 80-BF
//   F4           80-8F 80-BF 80-BF                 nothing past U+10FFFF

#include <cstdint>

#include "base/bytes.h"

namespace fanfare::ws {

// Validates text that arrives in pieces, with only three bytes of state.
class Utf8Validator {
 public:
  // Returns false as soon as no continuation could make the text valid; do not use the validator afterwards.
  bool feed(Bytes piece);
  // Whether the text may end here: its last character is complete.
  bool complete() const { return pending_ == 0; }

 private:
  friend bool is_valid_utf8_plain(Bytes text);
  bool step(std::uint8_t byte);

  std::uint8_t pending_ = 0;  // bytes the current character still needs
  std::uint8_t low_ = 0x80;   // lowest valid value of the next one
  std::uint8_t high_ = 0xBF;
};

// Validates complete text: ASCII a vector at a time, the rest with AVX2 if the processor supports it.
bool is_valid_utf8(Bytes text);
// The byte-by-byte reference version for tests and fuzzers.
bool is_valid_utf8_plain(Bytes text);

}  // namespace fanfare::ws
