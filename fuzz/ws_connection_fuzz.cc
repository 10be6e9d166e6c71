// Feeds any bytes to a connection in either role, whole and in arbitrary pieces, with and without the fast
// path for whole messages. Events, output and state must be the same, and memory must stay within the limits
// and the received bytes.
//
//   byte 0  bit 0 client, bit 1 compression, bit 2 small limits, bit 3 we close first,
//           bit 4 the real codec
//   byte 1  seed of the cuts
//   rest    what the peer sends

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "ws/connection.h"
#include "ws/deflate_codec.h"

using namespace fanfare;
using namespace fanfare::ws;

namespace {

class KeptOutput final : public Output {
 public:
  std::uint8_t* extend(std::size_t size) override {
    bytes.resize(bytes.size() + size);
    return bytes.data() + bytes.size() - size;
  }
  std::vector<std::uint8_t> bytes;
};

// Inflates every byte to two and treats one value as corrupt. This reaches the connection's code around a
// codec, which random bytes rarely do with a real codec.
class DoublingCodec final : public MessageCodec {
 public:
  std::expected<void, CodecError> decompress(Bytes piece, bool /*last*/, std::size_t message_bytes_max,
                                             std::vector<std::uint8_t>& message) override {
    for (const std::uint8_t byte : piece) {
      if (byte == 0xFF) return std::unexpected(CodecError::corrupt);
      if (message.size() + 2 > message_bytes_max) return std::unexpected(CodecError::message_too_big);
      message.insert(message.end(), 2, byte);
    }
    return {};
  }
  std::optional<Bytes> compress(Opcode /*opcode*/, Bytes /*message*/) override { return std::nullopt; }
};

std::unique_ptr<MessageCodec> codec_from(std::uint8_t bits, Role self, DeflatePool& pool) {
  if ((bits & 2U) == 0) return nullptr;
  if ((bits & 16U) == 0) return std::make_unique<DoublingCodec>();
  return std::make_unique<DeflateCodec>(DeflateParameters{}, self, pool);
}

struct Outcome {
  std::string events;
  std::vector<std::uint8_t> output;
  State state{};

  bool operator==(const Outcome&) const = default;
};

void describe(const Event& event, std::string& events) {
  events += static_cast<char>('0' + static_cast<int>(event.kind));
  events += static_cast<char>('0' + static_cast<int>(event.opcode));
  if (event.kind == Event::Kind::failed) events += info(event.rule).name;
  events += std::to_string(event.code) + ':' + std::to_string(event.payload.size()) + ':';
  events += as_text(event.payload);
}

// with_the_shorter: the fast path that sessions use.
enum class Way : std::uint8_t { plain, with_the_shorter };

std::optional<Event> next_event(Connection& connection, Way way, MutableBytes& input, Output& output) {
  if (way == Way::with_the_shorter) {
    const auto message = connection.role() == Role::server
                             ? connection.next_whole_message<Role::server>(input)
                             : connection.next_whole_message<Role::client>(input);
    if (message) return Event{.opcode = message->opcode, .payload = message->payload};
  }
  return connection.next(input, output);
}

template <typename Split>
Outcome run(std::uint8_t bits, Bytes stream, Way way, Split split) {
  const ws::Limits limits =
      (bits & 4U) != 0 ? ws::Limits{.message_bytes_max = 300, .fragments_max = 4} : kDefaultLimits;
  SeededRandom random(1);
  KeptOutput output;
  const Role self = (bits & 1U) != 0 ? Role::client : Role::server;
  DeflatePool pool{DeflateOptions{}};
  Connection connection(
      {.role = self, .limits = &limits, .random = &random, .codec = codec_from(bits, self, pool)});
  if ((bits & 8U) != 0) connection.close(1000, "first", output);
  Outcome outcome;
  while (!stream.empty()) {
    const std::size_t size = split(stream.size());
    std::vector<std::uint8_t> piece(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
    stream = stream.subspan(size);
    MutableBytes input = piece;
    while (const auto event = next_event(connection, way, input, output)) describe(*event, outcome.events);
    FANFARE_CHECK(input.empty());
    FANFARE_CHECK(is_reading(connection.state()) || connection.buffered_bytes() == 0);
    FANFARE_CHECK(connection.buffered_bytes() <=
                  sizeof(Incoming) + kRecycledMessageBytesMax + limits.message_bytes_max);
  }
  outcome.output = std::move(output.bytes);
  outcome.state = connection.state();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::uint8_t bits = data[0];
  const Bytes stream(data + 2, size - 2);
  const auto all = [](std::size_t left) { return left; };
  const auto one = [](std::size_t) { return std::size_t{1}; };
  std::minstd_rand random(data[1] + 1U);
  const auto some = [&](std::size_t left) { return 1 + random() % left; };
  const auto few = [&](std::size_t left) { return std::min<std::size_t>(left, 1 + random() % 9); };
  const Outcome plain = run(bits, stream, Way::plain, all);
  FANFARE_CHECK(run(bits, stream, Way::with_the_shorter, all) == plain);
  FANFARE_CHECK(run(bits, stream, Way::plain, one) == plain);
  FANFARE_CHECK(run(bits, stream, Way::with_the_shorter, some) == plain);
  FANFARE_CHECK(run(bits, stream, Way::plain, few) == plain);
  return 0;
}
