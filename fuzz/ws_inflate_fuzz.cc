// Feeds arbitrary compressed messages to the codec of one connection, with and without context takeover. Each
// inflates within its limits or ends in a documented error. Pieces give the same result as whole messages and
// as plain zlib.
//
// Input: two flag bytes, then messages, each preceded by a length byte.

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "ws/deflate_codec.h"

namespace {

using namespace fanfare;
using namespace fanfare::ws;
using Buffer = std::vector<std::uint8_t>;

constexpr std::size_t kMessageBytesMax = 100000;

void require(bool holds) {
  if (!holds) std::abort();
}

// The plain reference: one inflater for the whole connection. Returns empty for an error, a message that ends
// in the middle of a block, or one over the limit.
class PlainInflater {
 public:
  explicit PlainInflater(bool takeover) : takeover_(takeover) {
    require(inflateInit2(&stream_, -15) == Z_OK);
  }
  PlainInflater(const PlainInflater&) = delete;
  PlainInflater& operator=(const PlainInflater&) = delete;
  ~PlainInflater() { inflateEnd(&stream_); }

  std::optional<Buffer> inflated(Bytes payload) {
    if (!takeover_) inflateReset(&stream_);
    Buffer input(payload.begin(), payload.end());
    input.insert(input.end(), {0x00, 0x00, 0xff, 0xff});
    Buffer message;
    std::array<std::uint8_t, 4096> chunk{};
    stream_.next_in = input.data();
    stream_.avail_in = static_cast<uInt>(input.size());
    int result = Z_OK;
    do {
      stream_.next_out = chunk.data();
      stream_.avail_out = static_cast<uInt>(chunk.size());
      result = ::inflate(&stream_, Z_SYNC_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return std::nullopt;
      message.insert(message.end(), chunk.begin(), chunk.end() - stream_.avail_out);
      if (message.size() > kMessageBytesMax) return std::nullopt;
      // Only the tail is left: a final block without the padding byte after it is valid, too.
      if (result == Z_STREAM_END && stream_.avail_in == 4) {
        inflateResetKeep(&stream_);
        return message;
      }
      if (result == Z_STREAM_END) inflateResetKeep(&stream_);
    } while (stream_.avail_in != 0 || stream_.avail_out == 0);
    const bool at_block_end = (stream_.data_type & 128) != 0 && (stream_.data_type & 63) == 0;
    if (result != Z_STREAM_END && !at_block_end) return std::nullopt;
    return message;
  }

 private:
  bool takeover_;
  z_stream stream_{};
};

DeflatePool& pool() {
  static DeflatePool shared({.threshold_bytes = 1, .ratio_max = 5000});
  return shared;
}

// Returns true if the message was inflated and the connection continues.
bool check_message(Bytes payload, std::size_t cut, DeflateCodec& whole, DeflateCodec& pieces,
                   PlainInflater& plain) {
  Buffer at_once;
  Buffer in_pieces;
  const auto done = whole.decompress(payload, true, kMessageBytesMax, at_once);
  require(pieces.decompress(payload.first(cut), false, kMessageBytesMax, in_pieces).has_value());
  const auto also = pieces.decompress(payload.subspan(cut), true, kMessageBytesMax, in_pieces);
  require(done == also && at_once == in_pieces && at_once.size() <= kMessageBytesMax);

  const std::optional<Buffer> expected = plain.inflated(payload);
  if (expected) require(done.has_value() && *expected == at_once);
  return done.has_value() && expected.has_value();
}

void check_round_trip(Bytes message, const DeflateParameters& agreed) {
  DeflateCodec sender(agreed, Role::server, pool());
  DeflateCodec receiver(agreed, Role::client, pool());
  for (int count = 0; count < 2; ++count) {
    const std::optional<Bytes> payload = sender.compress(Opcode::binary, message);
    if (!payload) return;
    require(payload->size() < message.size());
    const Buffer owned(payload->begin(), payload->end());
    Buffer back;
    require(receiver.decompress(owned, true, message.size(), back).has_value());
    require(std::ranges::equal(back, message));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // The receiving window is 15, as in the reference. A smaller window is the sender's promise, which we need
  // not enforce.
  const DeflateParameters agreed{.server_no_context_takeover = (data[0] & 1) != 0,
                                 .client_no_context_takeover = (data[0] & 2) != 0,
                                 .server_max_window_bits = 8 + (data[0] >> 2) % 8};
  Bytes rest(data + 2, size - 2);
  check_round_trip(rest, agreed);

  DeflateCodec whole(agreed, Role::server, pool());
  DeflateCodec pieces(agreed, Role::server, pool());
  PlainInflater plain(!agreed.client_no_context_takeover);
  while (!rest.empty()) {
    const std::size_t length = std::min<std::size_t>(rest[0], rest.size() - 1);
    const Bytes payload = rest.subspan(1, length);
    rest = rest.subspan(1 + length);
    const std::size_t cut = std::min<std::size_t>(data[1], payload.size());
    if (!check_message(payload, cut, whole, pieces, plain)) break;
  }
  return 0;
}
