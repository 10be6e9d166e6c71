#pragma once
// A validating JSON scanner that builds nothing: it steps over one value and reports where it ends, so that
// the caller can slice the text. It follows RFC 8259 exactly and is stricter in one point. An escaped
// surrogate must be part of a pair, because a lone one has no UTF-8 form (RFC8259§8.2 leaves this open).
//
// It allows forwarding a request without re-encoding it: numbers are never converted, strings are never
// copied. It must accept and reject exactly what RapidJSON does (fuzz/jsonrpc_fuzz.cc). Recursion is limited
// by `depth_max`. It allocates no memory.

#include <cstdint>
#include <string>
#include <string_view>

namespace fanfare::jsonrpc {

// Nesting limit for a node's response. callTracer nests two levels per call, and the EVM allows calls 1,024
// deep. Client requests have a lower limit (ParseLimits).
inline constexpr std::uint32_t kAnswerDepthMax = 4096;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  const char* at() const { return at_; }
  bool at_end() const { return at_ == end_; }
  // The byte under the cursor, or NUL at the end. (A NUL in the text is never valid JSON.)
  char peek() const { return at_ == end_ ? '\0' : *at_; }
  void skip_space();
  // Steps over `expected` if it is the next byte.
  bool consume(char expected);
  // Steps over one string, whose opening quote is next. False: it is malformed, and the cursor is somewhere
  // inside it. `escaped` is set if the string contains a backslash.
  bool skip_string(bool* escaped);
  // Steps over one value of any kind, whose arrays and objects may nest up to `depth_max` deep.
  bool skip_value(std::uint32_t depth_max);
  // Whether the last skip_value() failed because of that limit.
  bool is_too_deep() const { return is_too_deep_; }
  // Steps over an array or an object of any depth that begins at `from`, for the error about it. Only its strings are
  // checked, and that as many brackets close as open.
  bool skip_unchecked(const char* from);

 private:
  bool skip_escape();
  bool skip_utf8();
  bool skip_number();
  bool skip_word(std::string_view word);
  bool skip_array(std::uint32_t depth_max);
  bool skip_object(std::uint32_t depth_max);

  const char* at_;
  const char* end_;
  bool is_too_deep_ = false;
};

// Appends the decoded text of `content`, which is the part between the quotes of a valid JSON string.
void append_unescaped(std::string& out, std::string_view content);

}  // namespace fanfare::jsonrpc
