// Reading a node's answers on a kept connection: any split gives the same heads, bodies and errors.
//
// Input: one byte that seeds the split and says whether the connection ends, then the server's bytes. Each response
// that keeps the connection is followed by the next.

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "http/response_reader.h"

namespace {

using namespace fanfare;

constexpr std::uint64_t kBodyBytesMax = 256;

template <typename Piece>
std::string outcome(Bytes bytes, bool ends, Piece piece) {
  http::ResponseReader reader(
      {.head_bytes_max = 512, .header_count_max = 8, .body_bytes_max = kBodyBytesMax});
  reader.begin();
  std::string seen;
  std::size_t body_bytes = 0;
  while (!bytes.empty()) {
    const Bytes taken = bytes.first(piece(bytes.size()));
    const std::vector<std::uint8_t> part(taken.begin(), taken.end());
    bytes = bytes.subspan(part.size());
    Bytes input(part);
    Bytes data;
    for (bool more = true; more;) {
      const auto step = reader.next(input, data);
      if (!step) {
        FANFARE_CHECK(step.error().status == 413 || step.error().status == 502);
        return seen + "error " + std::string(step.error().reason);
      }
      switch (*step) {
        case http::ResponseReader::Step::more:
          FANFARE_CHECK(input.empty());
          more = false;
          break;
        case http::ResponseReader::Step::head:
          seen += "\n" + std::to_string(reader.status());
          for (const HeaderField& field : reader.headers()) {
            seen.append("\n").append(field.name).append("=").append(field.value);
          }
          seen += "\n";
          body_bytes = 0;
          break;
        case http::ResponseReader::Step::body:
          FANFARE_CHECK(!data.empty());
          body_bytes += data.size();
          FANFARE_CHECK(body_bytes <= kBodyBytesMax);
          seen += as_text(data);
          break;
        case http::ResponseReader::Step::done:
          seen += "|";
          if (!reader.keeps_alive()) return seen + std::string(as_text(input)) + std::string(as_text(bytes));
          reader.begin();
      }
    }
  }
  return seen + (ends && reader.end() ? "ended" : "more");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(data + 1, size - 1);
  const bool ends = (data[0] & 1) != 0;
  SeededRandom random(data[0]);
  const std::string whole = outcome(bytes, ends, [](std::size_t left) { return left; });
  FANFARE_CHECK(whole == outcome(bytes, ends, [](std::size_t) { return std::size_t{1}; }));
  FANFARE_CHECK(whole == outcome(bytes, ends, [&](std::size_t left) { return 1 + random.below(left); }));
  return 0;
}
