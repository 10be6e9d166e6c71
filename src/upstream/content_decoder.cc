#include "upstream/content_decoder.h"

#include <zlib.h>

#include <array>
#include <new>

#include "http/headers.h"

namespace fanfare::upstream {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{16} << 10;
// zlib's window bits: the largest window, in the formats of zlib, gzip and neither.
constexpr int kZlibFormat = 15;
constexpr int kGzipFormat = 15 + 16;
constexpr int kNoFormat = -15;
// RFC1950§2.2: the low bits of the first byte of zlib's format.
constexpr unsigned kZlibMethodBits = 0x0f;
constexpr unsigned kZlibMethod = 8;

}  // namespace

struct ContentDecoder::State {
  z_stream stream{};
  bool is_open = false;
  std::array<char, kPieceBytes> piece;

  ~State() {
    if (is_open) inflateEnd(&stream);
  }
};

std::optional<ContentDecoder::Coding> ContentDecoder::coding_of(std::string_view field) {
  if (field.empty() || http::equals_ignoring_case(field, "identity")) return Coding::identity;
  // RFC9110§8.4.1.3: "x-gzip" means the same.
  if (http::equals_ignoring_case(field, "gzip") || http::equals_ignoring_case(field, "x-gzip")) {
    return Coding::gzip;
  }
  if (http::equals_ignoring_case(field, "deflate")) return Coding::deflate;
  return std::nullopt;
}

ContentDecoder::ContentDecoder(Coding coding) : coding_(coding), state_(std::make_unique<State>()) {}
ContentDecoder::~ContentDecoder() = default;

void ContentDecoder::begin(Bytes coded) {
  const bool has_format = (coded.front() & kZlibMethodBits) == kZlibMethod;
  const int format = coding_ == Coding::gzip ? kGzipFormat : (has_format ? kZlibFormat : kNoFormat);
  if (inflateInit2(&state_->stream, format) != Z_OK) throw std::bad_alloc();
  state_->is_open = true;
}

ContentDecoder::Result ContentDecoder::decode(Bytes coded, UniqueFunction<bool(std::string_view)>& sink) {
  if (coded.empty()) return Result::fine;
  if (is_complete_) return Result::invalid;  // data behind the end
  if (!state_->is_open) begin(coded);
  z_stream& stream = state_->stream;
  stream.next_in =
      const_cast<Bytef*>(coded.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast): only read
  stream.avail_in = static_cast<uInt>(coded.size());
  do {
    stream.next_out = reinterpret_cast<Bytef*>(state_->piece.data());
    stream.avail_out = kPieceBytes;
    const int code = inflate(&stream, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) return Result::invalid;
    const std::size_t size = kPieceBytes - stream.avail_out;
    if (size > 0 && !sink({state_->piece.data(), size})) return Result::refused;
    if (code == Z_STREAM_END) {
      is_complete_ = true;
      return stream.avail_in == 0 ? Result::fine : Result::invalid;
    }
  } while (stream.avail_in > 0 || stream.avail_out == 0);
  return Result::fine;
}

}  // namespace fanfare::upstream
