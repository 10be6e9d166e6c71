#include "ws/deflate_codec.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace fanfare::ws {
namespace {

constexpr std::size_t kTailBytes = 4;
constexpr std::size_t kCompressedSlackBytes = 1024;
constexpr std::size_t kHistoryFirstBytes = 1024;

// The memory deflateInit2 allocates: twice the window, its links, the hash heads, the pending output and the
// state.
constexpr std::size_t deflater_bytes(int window_bits, int memory_level) {
  constexpr std::size_t kStateBytes = 6 * 1024;
  return (std::size_t{1} << (window_bits + 2)) + (std::size_t{1} << (memory_level + 9)) + kStateBytes;
}

}  // namespace

struct DeflateCodec::Deflater {
  z_stream stream{};

  Deflater(const DeflateOptions& options, int window_bits) {
    FANFARE_CHECK(deflateInit2(&stream, options.level, Z_DEFLATED, -window_bits, options.memory_level,
                               Z_DEFAULT_STRATEGY) == Z_OK);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { deflateEnd(&stream); }
};

DeflateCodec::DeflateCodec(const DeflateParameters& agreed, Role self, DeflatePool& pool)
    : pool_(pool),
      send_window_bits_(self == Role::server ? agreed.server_max_window_bits : agreed.client_max_window_bits),
      receive_window_bits_(self == Role::server ? agreed.client_max_window_bits
                                                : agreed.server_max_window_bits),
      send_takeover_(self == Role::server ? !agreed.server_no_context_takeover
                                          : !agreed.client_no_context_takeover),
      receive_takeover_(self == Role::server ? !agreed.client_no_context_takeover
                                             : !agreed.server_no_context_takeover) {
  FANFARE_CHECK(send_window_bits_ >= kWindowBitsMin && send_window_bits_ <= kWindowBitsMax);
  FANFARE_CHECK(receive_window_bits_ >= kWindowBitsMin && receive_window_bits_ <= kWindowBitsMax);
}

DeflateCodec::~DeflateCodec() {
  pool_.budget().release(context_bytes());
}

std::expected<void, CodecError> DeflateCodec::decompress(Bytes piece, bool last,
                                                         std::size_t message_bytes_max,
                                                         std::vector<std::uint8_t>& message) {
  constexpr std::size_t kHuge = std::numeric_limits<std::size_t>::max() / 4;
  const std::size_t compressed_max = std::min(message_bytes_max, kHuge) * 2 + kCompressedSlackBytes;
  if (piece.size() > compressed_max || gathered_.size() > compressed_max - piece.size()) {
    return std::unexpected(CodecError::message_too_big);
  }
  if (!last) {
    gathered_.insert(gathered_.end(), piece.begin(), piece.end());
    return {};
  }
  // RFC7692§8: bytes already in `message` count against its limit.
  FANFARE_CHECK(message.size() <= message_bytes_max);
  const InflateLimits limits{.message_bytes_max = message_bytes_max - message.size(),
                             .ratio_max = pool_.options().ratio_max,
                             .ratio_floor_bytes = pool_.options().ratio_floor_bytes};
  const std::expected<Bytes, CodecError> inflated = pool_.inflate(history_, gathered_, piece, limits);
  // Between messages a connection keeps only its window.
  if (!gathered_.empty()) std::vector<std::uint8_t>().swap(gathered_);
  std::expected<void, CodecError> done;
  if (inflated) {
    message.insert(message.end(), inflated->begin(), inflated->end());
    if (receive_takeover_) done = remember(*inflated);
  } else {
    done = std::unexpected(inflated.error());
  }
  pool_.trim_large();
  return done;
}

std::expected<void, CodecError> DeflateCodec::decompress_piece(Bytes piece, bool last,
                                                               std::size_t message_bytes_max,
                                                               std::vector<std::uint8_t>& message) {
  if (inflating_ == nullptr) {
    if (last) return decompress(piece, true, message_bytes_max, message);
    if (!pool_.budget().reserve(InflateStream::kBytes)) return std::unexpected(CodecError::out_of_contexts);
    inflating_ = std::make_unique<InflateStream>(history_);
  }
  const InflateLimits limits{.message_bytes_max = message_bytes_max,
                             .ratio_max = pool_.options().ratio_max,
                             .ratio_floor_bytes = pool_.options().ratio_floor_bytes};
  const std::size_t before = message.size();
  auto done = inflating_->feed(piece, last, limits, message);
  if (done && receive_takeover_) done = remember(Bytes(message).subspan(before));
  if (last || !done) {
    inflating_.reset();
    pool_.budget().release(InflateStream::kBytes);
  }
  return done;
}

// RFC7692§7.1.1: with context takeover the next message may refer to the window's worth of bytes before it.
std::expected<void, CodecError> DeflateCodec::remember(Bytes message) {
  const std::size_t window = std::size_t{1} << receive_window_bits_;
  const std::size_t wanted = std::min(window, history_.size() + message.size());
  if (wanted > history_bytes_reserved_) {
    // Grows by doubling, so that a connection with little traffic uses little memory.
    std::size_t grown = std::max(kHistoryFirstBytes, history_bytes_reserved_);
    while (grown < wanted) grown *= 2;
    grown = std::min(grown, window);
    if (!pool_.budget().reserve(grown - history_bytes_reserved_)) {
      return std::unexpected(CodecError::out_of_contexts);
    }
    history_bytes_reserved_ = grown;
    history_.reserve(grown);
  }
  if (message.size() >= window) {
    history_.assign(message.end() - static_cast<std::ptrdiff_t>(window), message.end());
    return {};
  }
  const std::size_t surplus = history_.size() + message.size() - wanted;
  history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(surplus));
  history_.insert(history_.end(), message.begin(), message.end());
  return {};
}

std::optional<Bytes> DeflateCodec::compress(Opcode opcode, Bytes message) {
  FANFARE_CHECK(!is_control(opcode));  // RFC7692§6.1: control frames are never compressed
  if (!send_takeover_) return pool_.compress(message, send_window_bits_, Ending::final_block);
  if (message.empty() || !pool_.options().compresses(message.size())) return std::nullopt;
  if (ensure_deflater()) return compress_with_history(message);
  return pool_.compress(message, send_window_bits_, Ending::sync_flush);
}

// False: zlib does not support a window of 8 bits, or the budget has no memory for another context.
bool DeflateCodec::ensure_deflater() {
  if (deflater_) return true;
  if (send_window_bits_ < kWindowBitsUsable) return false;
  const std::size_t bytes = deflater_bytes(send_window_bits_, pool_.options().memory_level);
  if (!pool_.budget().reserve(bytes)) return false;
  send_context_bytes_ = bytes;
  deflater_ = std::make_unique<Deflater>(pool_.options(), send_window_bits_);
  forget_sent_ = false;
  return true;
}

std::optional<Bytes> DeflateCodec::compress_with_history(Bytes message) {
  z_stream& stream = deflater_->stream;
  if (forget_sent_) deflateReset(&stream);
  // Until the message is known to be smaller, the compressor is ahead of the peer.
  forget_sent_ = true;
  if (message.size() > std::numeric_limits<uInt>::max() / 2) return std::nullopt;
  const std::size_t room = message.size() + kTailBytes;
  std::uint8_t* const out = pool_.output_room(room);
  stream.next_in = const_cast<Bytef*>(message.data());  // zlib only reads it
  stream.avail_in = static_cast<uInt>(message.size());
  stream.next_out = out;
  stream.avail_out = static_cast<uInt>(room);
  deflate(&stream, Z_SYNC_FLUSH);
  if (stream.avail_out == 0 || stream.avail_in != 0) return std::nullopt;
  forget_sent_ = false;
  return Bytes(out, room - stream.avail_out - kTailBytes);
}

SharedBytes DeflateCodec::shared_form(const SharedBytes& frame) {
  const SharedBytes twin = pool_.twin_of(frame, send_window_bits_);
  // The peer's window has advanced without our compressor, which must not refer to it.
  if (!twin.empty()) forget_sent_ = true;
  return twin.empty() ? frame : twin;
}

}  // namespace fanfare::ws
