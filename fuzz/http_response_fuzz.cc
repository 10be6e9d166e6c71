// Parsing an answer as a client: any split gives the same response, error and remaining bytes.
//
// Input: one byte that seeds the split and says whether the request was CONNECT, then the server's bytes.

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "http/response_parser.h"

namespace {

using namespace fanfare;

template <typename Piece>
std::string outcome(Bytes bytes, bool connect, Piece piece) {
  http::ResponseParser parser({.head_bytes_max = 512, .header_count_max = 8, .body_bytes_max = 256}, connect);
  while (!bytes.empty()) {
    const Bytes taken = bytes.first(piece(bytes.size()));
    const std::vector<std::uint8_t> part(taken.begin(), taken.end());
    bytes = bytes.subspan(part.size());
    Bytes input(part);
    const auto next = parser.next(input);
    if (!next) return "error " + std::string(next.error().reason);
    if (!*next) {
      FANFARE_CHECK(input.empty());
      continue;
    }
    const http::Response& response = **next;
    FANFARE_CHECK(response.body.size() <= 256);
    std::string made = std::to_string(response.status) + std::string(response.phrase) + "\n";
    for (const HeaderField& field : response.headers) {
      made.append(field.name).append("=").append(field.value).append("\n");
    }
    return made.append(as_text(response.body)).append("|").append(as_text(input)).append(as_text(bytes));
  }
  return "more";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(data + 1, size - 1);
  const bool connect = (data[0] & 1) != 0;
  SeededRandom random(data[0]);
  const std::string whole = outcome(bytes, connect, [](std::size_t left) { return left; });
  FANFARE_CHECK(whole == outcome(bytes, connect, [](std::size_t) { return std::size_t{1}; }));
  FANFARE_CHECK(whole == outcome(bytes, connect, [&](std::size_t left) { return 1 + random.below(left); }));
  return 0;
}
