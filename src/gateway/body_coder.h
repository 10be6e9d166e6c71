#pragma once
// Codes one body in the gzip or zlib format, a part at a time, so that a long body does not block its loop.
// One thread.

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

// Idle zlib compressors: creating one allocates and clears 268 KiB.
class CoderPool {
 public:
  CoderPool() = default;
  CoderPool(const CoderPool&) = delete;
  CoderPool& operator=(const CoderPool&) = delete;

  // Returns a compressor ready for a new body. Throws std::bad_alloc.
  CoderPtr take(http::ContentCoding coding);
  // Takes back a compressor from take(); keeps one for each coding.
  void give_back(http::ContentCoding coding, CoderPtr stream);

 private:
  CoderPtr& spare(http::ContentCoding coding) { return coding == http::ContentCoding::gzip ? gzip_ : zlib_; }

  CoderPtr gzip_;
  CoderPtr zlib_;
};

class BodyCoder {
 public:
  // `coding`: gzip or deflate. The pool must outlive the coder. `may_grow`: keep the result even if it is no
  // smaller.
  BodyCoder(CoderPool& pool, http::ContentCoding coding, std::string body, bool may_grow);
  BodyCoder(const BodyCoder&) = delete;
  BodyCoder& operator=(const BodyCoder&) = delete;
  ~BodyCoder();

  // Codes up to so many of the remaining bytes. True: finished. Throws std::bad_alloc.
  bool step(std::size_t bytes_max);
  std::size_t bytes_left() const { return bytes_ - done_; }
  std::size_t bytes() const { return bytes_; }  // of the body
  http::ContentCoding coding() const { return coding_; }

  // Valid after step() returned true: whether there is a coded body. False: it would not be smaller.
  bool is_coded() const { return is_coded_; }
  // The coded body, or the original.
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
