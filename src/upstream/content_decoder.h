#pragma once
// Takes the content codings that we offer to nodes off an answer's body (RFC9110§8.4.1): gzip, and deflate in the
// zlib format, or without it, as some servers send it. Piece by piece. No I/O.

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "fanfare/unique_function.h"

namespace fanfare::upstream {

// The value of Accept-Encoding.
inline constexpr std::string_view kOfferedCodings = "gzip, deflate";

class ContentDecoder {
 public:
  enum class Coding : std::uint8_t { identity, gzip, deflate };
  // The coding that a Content-Encoding field names. Empty: it is none of ours, or there is more than one.
  static std::optional<Coding> coding_of(std::string_view field);

  // Not for identity.
  explicit ContentDecoder(Coding coding);
  ~ContentDecoder();
  ContentDecoder(const ContentDecoder&) = delete;
  ContentDecoder& operator=(const ContentDecoder&) = delete;

  enum class Result : std::uint8_t {
    fine,
    invalid,  // not data of this coding
    refused,  // the sink returned false
  };
  // Passes the decoded bytes on in pieces, as long as the sink returns true.
  Result decode(Bytes coded, UniqueFunction<bool(std::string_view)>& sink);
  // Whether the coded data is complete.
  bool is_complete() const { return is_complete_; }

 private:
  struct State;
  void begin(Bytes coded);

  const Coding coding_;
  std::unique_ptr<State> state_;
  bool is_complete_ = false;
};

}  // namespace fanfare::upstream
