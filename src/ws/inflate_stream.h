#pragma once
// One compressed message that is inflated while it comes (RFC7692§7.2.2), for receivers that take messages in
// pieces. Slower than DeflatePool::inflate(), and 48 KiB of state, but never the whole message. One thread.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "ws/codec.h"
#include "ws/deflate_pool.h"

namespace fanfare::ws {

class InflateStream {
 public:
  // What zlib allocates: the window and its state.
  static constexpr std::size_t kBytes = std::size_t{48} << 10;

  // The message may refer to `history`, at most 32 KiB.
  explicit InflateStream(Bytes history);
  ~InflateStream();
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;

  // Appends to `message` what the piece, at most 1 GiB, inflates to: up to about a thousand times as much.
  // The limits hold for all pieces together; they are the same in each call. After an error, and after the
  // last piece, it is not used again.
  std::expected<void, CodecError> feed(Bytes piece, bool last, const InflateLimits& limits,
                                       std::vector<std::uint8_t>& message);

 private:
  struct Zlib;

  std::expected<void, CodecError> run(Bytes compressed, const InflateLimits& limits,
                                      std::vector<std::uint8_t>& message);

  std::unique_ptr<Zlib> zlib_;
  std::size_t compressed_bytes_ = 0;  // so far
  std::size_t inflated_bytes_ = 0;
  bool ended_ = false;  // in a final block, and nothing has come behind it
};

}  // namespace fanfare::ws
