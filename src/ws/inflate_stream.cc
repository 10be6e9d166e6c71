#include "ws/inflate_stream.h"

#include <zlib.h>

#include <array>

#include "base/check.h"
#include "ws/deflate_options.h"

namespace fanfare::ws {
namespace {

// RFC7692§7.2.2: what the sender took off.
constexpr std::array<std::uint8_t, 4> kEmptyBlock{0x00, 0x00, 0xff, 0xff};
constexpr std::size_t kPieceBytesMax = std::size_t{1} << 30;  // zlib counts in 32 bits
constexpr std::size_t kChunkBytes = 16 * 1024;

}  // namespace

struct InflateStream::Zlib {
  z_stream stream{};

  Zlib() { FANFARE_CHECK(inflateInit2(&stream, -kWindowBitsMax) == Z_OK); }
  Zlib(const Zlib&) = delete;
  Zlib& operator=(const Zlib&) = delete;
  ~Zlib() { inflateEnd(&stream); }
};

InflateStream::InflateStream(Bytes history) : zlib_(std::make_unique<Zlib>()) {
  FANFARE_CHECK(history.size() <= std::size_t{1} << kWindowBitsMax);
  if (history.empty()) return;
  FANFARE_CHECK(inflateSetDictionary(&zlib_->stream, history.data(), static_cast<uInt>(history.size())) ==
                Z_OK);
}

InflateStream::~InflateStream() = default;

std::expected<void, CodecError> InflateStream::feed(Bytes piece, bool last, const InflateLimits& limits,
                                                    std::vector<std::uint8_t>& message) {
  FANFARE_CHECK(piece.size() <= kPieceBytesMax);
  compressed_bytes_ += piece.size();
  if (auto done = run(piece, limits, message); !done || !last) return done;
  // A final block, and not even its padding byte behind it: the message is whole. See
  // docs/decisions/0052-a-final-block-without-its-padding-byte.md.
  if (ended_) return {};
  if (auto done = run(kEmptyBlock, limits, message); !done) return done;
  // At the end of a block, no bit of the next one read: the message was whole.
  constexpr int kAtBlockEnd = 128;
  constexpr int kUnusedBits = 63;
  const int state = zlib_->stream.data_type;
  if (!ended_ && ((state & kAtBlockEnd) == 0 || (state & kUnusedBits) != 0)) {
    return std::unexpected(CodecError::corrupt);
  }
  return {};
}

std::expected<void, CodecError> InflateStream::run(Bytes compressed, const InflateLimits& limits,
                                                   std::vector<std::uint8_t>& message) {
  if (compressed.empty()) return {};
  z_stream& stream = zlib_->stream;
  stream.next_in = const_cast<Bytef*>(compressed.data());  // zlib reads only
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::array<std::uint8_t, kChunkBytes> chunk;
  do {
    // RFC7692§7.2.3.4: more blocks behind a final one, with the window as it is.
    if (ended_) inflateResetKeep(&stream);
    stream.next_out = chunk.data();
    stream.avail_out = static_cast<uInt>(chunk.size());
    const int result = ::inflate(&stream, Z_SYNC_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return std::unexpected(CodecError::corrupt);
    }
    ended_ = result == Z_STREAM_END;
    const std::size_t made = chunk.size() - stream.avail_out;
    if (made > limits.bytes_max(compressed_bytes_) - inflated_bytes_) {
      return std::unexpected(limits.error(compressed_bytes_));
    }
    inflated_bytes_ += made;
    message.insert(message.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(made));
  } while (stream.avail_in != 0 || (!ended_ && stream.avail_out == 0));
  return {};
}

}  // namespace fanfare::ws
