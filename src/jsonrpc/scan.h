#pragma once
// A validating JSON scanner that builds nothing: it walks over one value and says where it ends, so that
// the caller can slice the text. RFC 8259 to the letter, and stricter in one place: an escaped surrogate
// must stand in a pair, because a lone one has no UTF-8 form (RFC8259§8.2 leaves it open).
//
// It is what lets a request be forwarded without being re-encoded: numbers are never converted, strings
// are never copied. It must accept and reject exactly what RapidJSON does (fuzz/jsonrpc_fuzz.cc).
// Recursion is bounded by `depth_max`. No memory is taken.

#include <cstdint>
#include <string>
#include <string_view>

namespace fanfare::jsonrpc {

// How deep a node's answer may nest. callTracer nests two levels a call, and the EVM calls 1,024 deep.
// Requests of clients are held to less (ParseLimits).
inline constexpr std::uint32_t kAnswerDepthMax = 4096;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  const char* at() const { return at_; }
  bool at_end() const { return at_ == end_; }
  // The byte under the cursor, or NUL at the end. (A NUL in the text is no JSON anywhere.)
  char peek() const { return at_ == end_ ? '\0' : *at_; }
  void skip_space();
  // Steps over `expected` if it is the next byte.
  bool consume(char expected);
  // Steps over one string, whose opening quote is next. False: it is malformed, and the cursor stands
  // somewhere inside. `escaped` says whether there is a backslash in it.
  bool skip_string(bool* escaped);
  // Steps over one value of any kind, in which arrays and objects may nest `depth_max` deep.
  bool skip_value(std::uint32_t depth_max);

 private:
  bool skip_escape();
  bool skip_utf8();
  bool skip_number();
  bool skip_word(std::string_view word);
  bool skip_array(std::uint32_t depth_max);
  bool skip_object(std::uint32_t depth_max);

  const char* at_;
  const char* end_;
};

// Appends the text that `content` stands for: what is between the quotes of a valid JSON string.
void append_unescaped(std::string& out, std::string_view content);

}  // namespace fanfare::jsonrpc
