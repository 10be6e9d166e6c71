#pragma once
// One body on its way to gzip or to the zlib format, a part at a time, so that a long one need not hold up
// its loop. One thread.

#include <cstddef>
#include <memory>
#include <string>

#include "http/accept_encoding.h"

struct z_stream_s;  // zlib's

namespace fanfare::gateway {

struct EndCoder {
  void operator()(z_stream_s* stream) const;
};
using CoderPtr = std::unique_ptr<z_stream_s, EndCoder>;

// zlib's compressors that nobody uses: making one costs 268 KiB and their clearing.
class CoderPool {
 public:
  CoderPool() = default;
  CoderPool(const CoderPool&) = delete;
  CoderPool& operator=(const CoderPool&) = delete;

  // Ready for a new body. Throws std::bad_alloc.
  CoderPtr take(http::ContentCoding coding);
  // One that take() gave; one of each coding is kept.
  void give_back(http::ContentCoding coding, CoderPtr stream);

 private:
  CoderPtr& spare(http::ContentCoding coding) { return coding == http::ContentCoding::gzip ? gzip_ : zlib_; }

  CoderPtr gzip_;
  CoderPtr zlib_;
};

class BodyCoder {
 public:
  // `coding`: gzip or deflate. The pool outlives it. `may_grow`: also when the result is no smaller.
  BodyCoder(CoderPool& pool, http::ContentCoding coding, std::string body, bool may_grow);
  BodyCoder(const BodyCoder&) = delete;
  BodyCoder& operator=(const BodyCoder&) = delete;
  ~BodyCoder();

  // Codes up to so many bytes of what is left. True: it is done. Throws std::bad_alloc.
  bool step(std::size_t bytes_max);
  std::size_t bytes_left() const { return bytes_ - done_; }
  std::size_t bytes() const { return bytes_; }  // of the body
  http::ContentCoding coding() const { return coding_; }

  // Once step() was true: whether there is a coded body. False: it would not be smaller.
  bool is_coded() const { return is_coded_; }
  // The coded body, or the body.
  std::string take() { return std::move(is_coded_ ? coded_ : body_); }

 private:
  bool finish(bool is_coded);

  CoderPool& pool_;
  http::ContentCoding coding_;
  std::string body_;
  std::size_t bytes_;
  bool may_grow_;
  std::size_t done_ = 0;
  CoderPtr stream_;  // from the first step to the last
  std::string coded_;
  bool is_coded_ = false;
};

}  // namespace fanfare::gateway
