// Any split of the input gives the same requests and the same error.
//
// Input: one byte that seeds the split, then the client's bytes.

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "http/authority.h"
#include "http/headers.h"
#include "http/request_parser.h"
#include "http/target.h"

namespace {

using namespace fanfare;

// Small, so that the fuzzer reaches the limits.
constexpr http::RequestLimits kLimits{
    .head_bytes_max = 512, .header_count_max = 8, .target_bytes_max = 128, .body_bytes_max = 256};

// An accepted target can be forwarded unchanged, and the next parser reads it in the same way.
void check_target(const http::Request& request) {
  const auto host = http::find_header(request.headers, "Host");
  FANFARE_CHECK(!host || http::is_host_and_port(*host));
  if (!request.path.starts_with('/')) {
    FANFARE_CHECK(request.path == "*" ? request.method == "OPTIONS" : request.method == "CONNECT");
    return;
  }
  std::string target(request.path);
  if (!request.query.empty()) target.append("?").append(request.query);
  FANFARE_CHECK(http::escaped_target(target) == target);
  static_cast<void>(http::path_segments(request.path));
  std::size_t decoded_bytes = 0;
  for (const http::Parameter& parameter : http::query_parameters(request.query)) {
    decoded_bytes += parameter.name.size() + parameter.value.size();
  }
  FANFARE_CHECK(decoded_bytes <= request.query.size());
}

// The result for the bytes, as text. `piece` returns the number of bytes to feed next.
template <typename Piece>
std::string outcome(Bytes bytes, Piece piece) {
  http::RequestParser parser(kLimits);
  std::string made;
  while (!bytes.empty()) {
    const Bytes taken = bytes.first(piece(bytes.size()));
    const std::vector<std::uint8_t> part(taken.begin(), taken.end());  // a copy: detects overruns
    bytes = bytes.subspan(part.size());
    Bytes input(part);
    while (true) {
      const auto next = parser.next(input);
      if (!next)
        return made + "error " + std::to_string(next.error().status) + std::string(next.error().reason);
      if (!*next) break;
      const http::Request& request = **next;
      made.append(request.method).append(" ").append(request.target).append(" ").append(request.path);
      made.append(" ").append(request.query).append(request.keep_alive ? " keep" : " close");
      made.append(request.upgrade ? " upgrade\n" : "\n");
      for (const HeaderField& field : request.headers) {
        made.append(field.name).append("=").append(field.value).append("\n");
        FANFARE_CHECK(http::is_token(field.name) && http::is_header_value(field.value));
      }
      made.append(as_text(request.body)).append("\n");
      FANFARE_CHECK(request.headers.size() <= kLimits.header_count_max);
      FANFARE_CHECK(request.target.size() <= kLimits.target_bytes_max);
      FANFARE_CHECK(request.body.size() <= kLimits.body_bytes_max);
      check_target(request);
    }
    FANFARE_CHECK(input.empty());
  }
  return made + (parser.in_request() ? "more" : "done");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(data + 1, size - 1);
  SeededRandom random(data[0]);
  const std::string whole = outcome(bytes, [](std::size_t left) { return left; });
  FANFARE_CHECK(whole == outcome(bytes, [](std::size_t) { return std::size_t{1}; }));
  FANFARE_CHECK(whole == outcome(bytes, [&](std::size_t left) { return 1 + random.below(left); }));
  return 0;
}
