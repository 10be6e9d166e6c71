// Any bytes are a header, the start of one, or break a rule. More bytes never change the result, and writing
// a parsed header gives the same bytes.

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/check.h"
#include "ws/frame_header.h"

using namespace fanfare;
using namespace fanfare::ws;

namespace {

FrameExpectation expectation_from(std::uint8_t bits, std::uint8_t size_bits) {
  const std::uint64_t bytes_max = (std::uint64_t{1} << (size_bits & 0x3FU)) - (size_bits >> 7U);
  return {.self = (bits & 1U) != 0 ? Role::client : Role::server,
          .compression = (bits & 2U) != 0,
          .in_message = (bits & 4U) != 0,
          .fragments_left = static_cast<std::uint32_t>(bits >> 6U),
          .data_bytes_max = bytes_max,
          .compressed_bytes_max = bytes_max * 2};
}

void check_written_again(const FrameHeader& header, Bytes input, Role self) {
  const Role sender = self == Role::server ? Role::client : Role::server;
  std::array<std::uint8_t, kHeaderBytesMax> room{};
  std::uint8_t* end =
      write_header(room.data(), sender, header.opcode, header.fin, header.compressed, header.payload_size);
  if (sender == Role::client) {
    std::memcpy(end, &header.mask_key, sizeof(header.mask_key));
    end += sizeof(header.mask_key);
  }
  FANFARE_CHECK(std::ranges::equal(Bytes(room.data(), end), input.first(header.header_size)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const FrameExpectation expect = expectation_from(data[0], data[1]);
  const Bytes input(data + 2, size - 2);
  const auto whole = parse_header(input, expect);
  bool decided = false;
  for (std::size_t length = 0; length <= std::min(input.size(), kHeaderBytesMax); ++length) {
    const auto part = parse_header(input.first(length), expect);
    if (part && !*part) {
      FANFARE_CHECK(!decided);
      continue;
    }
    decided = true;
    FANFARE_CHECK(part.has_value() == whole.has_value());
    if (!part) {
      FANFARE_CHECK(part.error() == whole.error());
      continue;
    }
    FANFARE_CHECK((*part)->header_size == (*whole)->header_size && (*part)->header_size <= length);
    FANFARE_CHECK((*part)->payload_size == (*whole)->payload_size);
    check_written_again(**part, input, expect.self);
  }
  FANFARE_CHECK(decided || (whole && !*whole));
  return 0;
}
