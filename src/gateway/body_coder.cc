#include "gateway/body_coder.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <new>
#include <utility>

#include "base/check.h"

namespace fanfare::gateway {
namespace {

// Fastest: for JSON, level 6 makes the result a tenth smaller but takes three times as long
// (docs/decisions/0130).
constexpr int kLevel = 1;
constexpr int kMemoryLevel = 8;
// Makes zlib write the header and the checksum of RFC 1952.
constexpr int kGzipWindow = MAX_WBITS + 16;

}  // namespace

void EndCoder::operator()(z_stream_s* stream) const {
  deflateEnd(stream);  // no effect if initialisation failed
  delete stream;
}

CoderPtr CoderPool::take(http::ContentCoding coding) {
  if (CoderPtr& kept = spare(coding)) return std::move(kept);
  CoderPtr made(new z_stream_s{});
  const int window = coding == http::ContentCoding::gzip ? kGzipWindow : MAX_WBITS;
  const int result = deflateInit2(made.get(), kLevel, Z_DEFLATED, window, kMemoryLevel, Z_DEFAULT_STRATEGY);
  if (result == Z_MEM_ERROR) throw std::bad_alloc();
  FANFARE_CHECK(result == Z_OK);
  return made;
}

void CoderPool::give_back(http::ContentCoding coding, CoderPtr stream) {
  CoderPtr& kept = spare(coding);
  if (kept == nullptr && deflateReset(stream.get()) == Z_OK) kept = std::move(stream);
}

BodyCoder::BodyCoder(CoderPool& pool, http::ContentCoding coding, std::string body, bool may_grow)
    : pool_(pool), coding_(coding), body_(std::move(body)), bytes_(body_.size()), may_grow_(may_grow) {
  FANFARE_CHECK(coding != http::ContentCoding::identity);
}

BodyCoder::~BodyCoder() {
  if (stream_) pool_.give_back(coding_, std::move(stream_));
}

bool BodyCoder::finish(bool is_coded) {
  pool_.give_back(coding_, std::move(stream_));
  is_coded_ = is_coded;
  if (is_coded) {
    body_ = {};
  } else {
    coded_ = {};
  }
  return true;
}

bool BodyCoder::step(std::size_t bytes_max) {
  if (!stream_) stream_ = pool_.take(coding_);
  // zlib counts in 32 bits.
  const std::size_t size =
      std::min({bytes_max, bytes_left(), std::size_t{std::numeric_limits<uInt>::max() / 2}});
  stream_->next_in = reinterpret_cast<Bytef*>(body_.data() + done_);
  stream_->avail_in = static_cast<uInt>(size);
  done_ += size;
  const int flush = bytes_left() == 0 ? Z_FINISH : Z_NO_FLUSH;
  std::array<char, std::size_t{32} << 10> piece;
  int result = Z_OK;
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(piece.data());
    stream_->avail_out = piece.size();
    result = deflate(stream_.get(), flush);
    coded_.append(piece.data(), piece.size() - stream_->avail_out);
    if (!may_grow_ && coded_.size() >= body_.size()) return finish(false);
  } while (stream_->avail_out == 0);
  return result == Z_STREAM_END && finish(true);
}

}  // namespace fanfare::gateway
