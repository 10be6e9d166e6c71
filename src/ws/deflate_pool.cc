#include "ws/deflate_pool.h"

#include <libdeflate.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"
#include "ws/encode.h"

namespace fanfare::ws {
namespace {

constexpr int kLevelMax = 9;
// Without context takeover. Most of the time for a short message is the start, so a level that saves 3 % of its bytes costs little.
constexpr std::size_t kShortMessageBytesMax = 2048;
constexpr int kShortMessageLevel = 6;

// Scratch memory kept between messages: enough for frequent messages.
constexpr std::size_t kScratchKeptBytes = std::size_t{128} << 10;
constexpr std::size_t kInflateFirstTryBytes = std::size_t{32} << 10;
constexpr int kRawDeflate = -1;  // zlib's sign for "no wrapper": negative window bits

// RFC7692§7.2.2: the bytes that the sender removed, plus an empty final block, so that the stream ends where
// the message does. The block is stored: with fixed codes, libdeflate would rebuild its tables for every
// message.
constexpr std::array<std::uint8_t, 4> kTail{0x00, 0x00, 0xff, 0xff};
constexpr std::array<std::uint8_t, 9> kTailAndEnd{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff};
// What remains of the above, and of the padding byte before it, if the peer's last block was final.
constexpr std::array<std::uint8_t, 10> kRestAfterFinal{0x00, 0x00, 0x00, 0xff, 0xff,
                                                       0x01, 0x00, 0x00, 0xff, 0xff};
// The remainder if the final block is itself the empty stored block.
constexpr std::array<std::uint8_t, 5> kRestAfterEmptyFinal{0x01, 0x00, 0x00, 0xff, 0xff};

// Whether no data of the message follows a final block.
bool is_end_of_message(Bytes rest) {
  // Without the padding byte: exactly the kTailAndEnd that we appended. RFC7692§7.2.1 requires the byte.
  // Others accept its absence, which has no other meaning:
  // docs/decisions/0052-a-final-block-without-its-padding-byte.md.
  return rest.empty() || std::ranges::equal(rest, kRestAfterFinal) ||
         std::ranges::equal(rest, kRestAfterEmptyFinal) || std::ranges::equal(rest, kTailAndEnd);
}

constexpr std::size_t kStoredHeaderBytes = 5;

constexpr std::size_t saturating_multiply(std::size_t a, std::size_t b) {
  return b != 0 && a > std::numeric_limits<std::size_t>::max() / b ? std::numeric_limits<std::size_t>::max()
                                                                   : a * b;
}

std::uint8_t* append(std::uint8_t* to, Bytes bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

// RFC1951§3.2.4: 0, padding, LEN, NLEN. An LZ77 window is at most 32 KiB, so one block holds it.
std::uint8_t* append_stored(std::uint8_t* to, Bytes bytes) {
  if (bytes.empty()) return to;
  const auto size = static_cast<std::uint16_t>(bytes.size());
  const auto inverse = static_cast<std::uint16_t>(~size);
  *to++ = 0;
  *to++ = static_cast<std::uint8_t>(size & 0xff);
  *to++ = static_cast<std::uint8_t>(size >> 8);
  *to++ = static_cast<std::uint8_t>(inverse & 0xff);
  *to++ = static_cast<std::uint8_t>(inverse >> 8);
  return append(to, bytes);
}

}  // namespace

std::uint8_t* Scratch::room(std::size_t size) {
  if (size > size_) {
    bytes_.reset();
    bytes_ = std::make_unique_for_overwrite<std::uint8_t[]>(size);
    size_ = size;
  }
  return bytes_.get();
}

void Scratch::trim(std::size_t keep) {
  if (size_ <= keep) return;
  bytes_.reset();
  size_ = 0;
}

std::size_t InflateLimits::bytes_max(std::size_t compressed_bytes) const {
  return std::min(message_bytes_max,
                  std::max(ratio_floor_bytes, saturating_multiply(compressed_bytes, ratio_max)));
}

CodecError InflateLimits::error(std::size_t compressed_bytes) const {
  return bytes_max(compressed_bytes) < message_bytes_max ? CodecError::ratio_exceeded
                                                         : CodecError::message_too_big;
}

// Each codec is created on first use.
struct DeflatePool::Codecs {
  struct FreeCompressor {
    void operator()(libdeflate_compressor* it) const { libdeflate_free_compressor(it); }
  };
  // Indexed by level.
  std::array<std::unique_ptr<libdeflate_compressor, FreeCompressor>, kLevelMax + 1> compressors;
  std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor{
      nullptr, libdeflate_free_decompressor};
  // Indexed by window bits. zlib's state points back to its z_stream, so the streams never move.
  std::array<std::unique_ptr<z_stream>, kWindowBitsMax + 1> deflaters;
  std::unique_ptr<z_stream> inflater;

  Codecs() = default;
  Codecs(const Codecs&) = delete;
  Codecs& operator=(const Codecs&) = delete;
  ~Codecs() {
    for (const std::unique_ptr<z_stream>& stream : deflaters) {
      if (stream) deflateEnd(stream.get());
    }
    if (inflater) inflateEnd(inflater.get());
  }
};

DeflatePool::DeflatePool(const DeflateOptions& options)
    : options_(options), budget_(options.context_bytes_max), codecs_(std::make_unique<Codecs>()) {
  FANFARE_CHECK(options.level >= 1 && options.level <= kLevelMax);
  FANFARE_CHECK(options.memory_level >= 1 && options.memory_level <= 9);
}

DeflatePool::~DeflatePool() = default;

void DeflatePool::trim() {
  input_.trim(0);
  output_.trim(0);
}

void DeflatePool::trim_large() {
  input_.trim(kScratchKeptBytes);
  output_.trim(kScratchKeptBytes);
}

std::optional<Bytes> DeflatePool::compress(Bytes message, int window_bits, Ending ending) {
  if (message.empty() || !options_.compresses(message.size())) return std::nullopt;
  trim_large();
  // A message that fits into the window cannot contain a reference beyond it, whatever the compressor.
  const bool fits_window = message.size() <= std::size_t{1} << window_bits;
  if (ending == Ending::final_block && fits_window) return compress_final(message);
  if (window_bits < kWindowBitsUsable && !fits_window) return std::nullopt;
  return compress_sync(message, std::max(window_bits, kWindowBitsUsable));
}

// RFC7692§7.2.1: a final block, padded to a byte, then the header of the empty stored block, whose last four
// bytes are not sent. So one zero byte remains.
std::optional<Bytes> DeflatePool::compress_final(Bytes message) {
  if (message.size() < 3) return std::nullopt;
  const bool is_short = message.size() <= kShortMessageBytesMax;
  const int level = is_short ? std::max(options_.level, kShortMessageLevel) : options_.level;
  auto& compressor = codecs_->compressors[static_cast<std::size_t>(level)];
  if (compressor == nullptr) {
    compressor.reset(libdeflate_alloc_compressor(level));
    FANFARE_CHECK(compressor != nullptr);
  }
  // Leaves two bytes less than the message: with the zero byte the result is still smaller, or it is not
  // sent.
  std::uint8_t* const out = output_.room(message.size());
  const std::size_t size =
      libdeflate_deflate_compress(compressor.get(), message.data(), message.size(), out, message.size() - 2);
  if (size == 0) return std::nullopt;
  out[size] = 0;
  return Bytes(out, size + 1);
}

std::optional<Bytes> DeflatePool::compress_sync(Bytes message, int window_bits) {
  std::unique_ptr<z_stream>& stream = codecs_->deflaters[static_cast<std::size_t>(window_bits)];
  if (!stream) {
    stream = std::make_unique<z_stream>();
    FANFARE_CHECK(deflateInit2(stream.get(), options_.level, Z_DEFLATED, kRawDeflate * window_bits,
                               options_.memory_level, Z_DEFAULT_STRATEGY) == Z_OK);
  } else {
    deflateReset(stream.get());
  }
  // zlib counts in 32 bits; messages of that size are sent uncompressed.
  if (message.size() > std::numeric_limits<uInt>::max() / 2) return std::nullopt;
  std::uint8_t* const out = output_.room(message.size() + kTail.size());
  stream->next_in = const_cast<Bytef*>(message.data());  // zlib only reads it
  stream->avail_in = static_cast<uInt>(message.size());
  stream->next_out = out;
  stream->avail_out = static_cast<uInt>(message.size() + kTail.size());
  deflate(stream.get(), Z_SYNC_FLUSH);
  // A full buffer means that more output may follow, so the result is not smaller than the message.
  if (stream->avail_out == 0 || stream->avail_in != 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(stream->next_out - out) - kTail.size();
  return Bytes(out, size);
}

std::optional<SharedBytes> DeflatePool::compress_shared(Opcode opcode, Bytes message, int window_bits) {
  const std::optional<Bytes> payload = compress(message, window_bits, Ending::sync_flush);
  if (!payload) return std::nullopt;
  return encode_compressed_message(opcode, *payload);
}

DeflatePool::Broadcast& DeflatePool::broadcast_of(const SharedBytes& frame) {
  const auto is_it = [&](const Broadcast& one) { return one.frame.view().data() == frame.view().data(); };
  const auto found = std::ranges::find_if(broadcasts_, is_it);
  if (found != broadcasts_.end()) return *found;
  std::erase_if(broadcasts_, [](const Broadcast& one) { return one.frame.size() > kBroadcastBytesMax; });
  if (broadcasts_.size() == kBroadcastsMax) broadcasts_.pop_back();
  broadcasts_.push_front({.frame = frame, .twins = {}});
  return broadcasts_.front();
}

SharedBytes DeflatePool::twin_of(const SharedBytes& frame, int window_bits) {
  // RFC6455§5.2: our own encoder fixed the positions of opcode and length.
  const Bytes bytes = frame.view();
  const std::size_t length = bytes[1] & 0x7fU;
  const Bytes message = bytes.subspan(length < 126 ? 2 : (length == 126 ? 4 : 10));
  if (!options_.compresses(message.size())) return {};
  std::optional<SharedBytes>& twin = broadcast_of(frame).twins[static_cast<std::size_t>(window_bits)];
  if (!twin) {
    const auto opcode = static_cast<Opcode>(bytes[0] & 0x0fU);
    twin = compress_shared(opcode, message, window_bits).value_or(SharedBytes());
  }
  return *twin;
}

std::expected<Bytes, CodecError> DeflatePool::inflate(Bytes history, Bytes head, Bytes tail,
                                                      const InflateLimits& limits) {
  if (!codecs_->decompressor) {
    codecs_->decompressor.reset(libdeflate_alloc_decompressor());
    FANFARE_CHECK(codecs_->decompressor != nullptr);
  }
  FANFARE_CHECK(history.size() <= std::size_t{1} << kWindowBitsMax);
  trim_large();

  const std::size_t compressed_bytes = head.size() + tail.size();
  std::uint8_t* const input =
      input_.room(kStoredHeaderBytes + history.size() + compressed_bytes + kTailAndEnd.size());
  std::uint8_t* const compressed = append_stored(input, history);
  std::uint8_t* const end = append(append(append(compressed, head), tail), kTailAndEnd);
  const auto input_bytes = static_cast<std::size_t>(end - input);

  // The inflated size is unknown. Start with four times the input and multiply by four after each failure, up
  // to the limit. A decompression bomb costs at most a third more than inflating once up to the limit.
  const std::size_t bytes_max = limits.bytes_max(compressed_bytes);
  std::size_t room =
      std::min(bytes_max, std::max(kInflateFirstTryBytes, saturating_multiply(compressed_bytes, 4)));
  for (;;) {
    std::uint8_t* const output = output_.room(history.size() + room);
    std::size_t read = 0;
    std::size_t written = 0;
    const libdeflate_result result = libdeflate_deflate_decompress_ex(
        codecs_->decompressor.get(), input, input_bytes, output, history.size() + room, &read, &written);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
      if (room == bytes_max) return std::unexpected(limits.error(compressed_bytes));
      room = std::min(bytes_max, saturating_multiply(room, 4));
      continue;
    }
    if (result != LIBDEFLATE_SUCCESS) return std::unexpected(CodecError::corrupt);
    // RFC7692§7.2.3.4: the peer's own final block ended the stream before our end did. Check whether only the
    // end follows, or more blocks.
    if (!is_end_of_message(Bytes(input + read, input_bytes - read))) {
      return inflate_blockwise(history, Bytes(compressed, compressed_bytes + kTail.size()), bytes_max,
                               limits.error(compressed_bytes));
    }
    return Bytes(output + history.size(), written - history.size());
  }
}

// The general path, through zlib: slower, but it continues after a final block and keeps its window.
// `compressed` includes the tail.
std::expected<Bytes, CodecError> DeflatePool::inflate_blockwise(Bytes history, Bytes compressed,
                                                                std::size_t bytes_max, CodecError too_much) {
  if (!codecs_->inflater) {
    codecs_->inflater = std::make_unique<z_stream>();
    FANFARE_CHECK(inflateInit2(codecs_->inflater.get(), kRawDeflate * kWindowBitsMax) == Z_OK);
  }
  z_stream& stream = *codecs_->inflater;
  inflateReset(&stream);
  if (!history.empty()) {
    FANFARE_CHECK(inflateSetDictionary(&stream, history.data(), static_cast<uInt>(history.size())) == Z_OK);
  }
  std::vector<std::uint8_t> message;
  std::array<std::uint8_t, 16384> chunk;
  constexpr std::size_t kInputStep = std::size_t{1} << 30;  // zlib counts in 32 bits
  bool ended = false;
  stream.avail_in = 0;
  do {
    if (stream.avail_in == 0) {
      const Bytes step = compressed.first(std::min(compressed.size(), kInputStep));
      compressed = compressed.subspan(step.size());
      stream.next_in = const_cast<Bytef*>(step.data());  // zlib only reads it
      stream.avail_in = static_cast<uInt>(step.size());
    }
    stream.next_out = chunk.data();
    stream.avail_out = static_cast<uInt>(chunk.size());
    const int result = ::inflate(&stream, Z_SYNC_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return std::unexpected(CodecError::corrupt);
    }
    const std::size_t made = chunk.size() - stream.avail_out;
    if (made > bytes_max - message.size()) return std::unexpected(too_much);
    message.insert(message.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(made));
    ended = result == Z_STREAM_END;
    // Only the tail is left: the padding byte after the final block is missing, as in is_end_of_message().
    if (ended && stream.avail_in + compressed.size() == kTail.size()) break;
    if (ended) inflateResetKeep(&stream);
  } while (stream.avail_in != 0 || stream.avail_out == 0 || !compressed.empty());
  // At the end of a block, with no bit of the next one read: the message was complete.
  constexpr int kAtBlockEnd = 128;
  constexpr int kUnusedBits = 63;
  if (!ended && ((stream.data_type & kAtBlockEnd) == 0 || (stream.data_type & kUnusedBits) != 0)) {
    return std::unexpected(CodecError::corrupt);
  }
  std::uint8_t* const output = output_.room(message.size());
  append(output, message);
  return Bytes(output, message.size());
}

}  // namespace fanfare::ws
