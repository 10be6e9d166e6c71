#pragma once
// The bytes of an echo benchmark, made once: the same masked frame many times in a row, and the frame that
// has to come back for each.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace fanfare::app {

struct EchoWire {
  std::vector<std::uint8_t> requests;  // `block` frames, one after the other
  std::size_t request_size = 0;        // of one of them
  std::vector<std::uint8_t> answer;    // what one of them comes back as
  std::size_t block = 0;
};

// `payload_size` bytes of text in a masked frame, at least one frame and about 64 KiB of them. `raw`: the
// peer sends bytes back as they are, so the answer is the request.
EchoWire make_echo_wire(std::size_t payload_size, std::size_t block_max, bool raw);

// One masked text frame.
std::vector<std::uint8_t> masked_text_frame(std::string_view text);

// Counts answers in a stream of bytes, whatever the reads were, and compares every byte of them.
class EchoReader {
 public:
  enum class End : std::uint8_t { none, closed, wrong };

  // The answers completed by `bytes`. Pings found on the way leave their pong, a whole frame, in `pongs`.
  std::uint64_t read(Bytes bytes, const EchoWire& wire, std::vector<std::uint8_t>& pongs);
  // closed: a Close frame came; wrong: something that is no answer. Final.
  End end() const { return end_; }

 private:
  Bytes read_control(Bytes bytes, std::vector<std::uint8_t>& pongs);

  std::size_t at_ = 0;                 // within the answer that is coming
  std::vector<std::uint8_t> control_;  // a control frame, as far as it has come
  End end_ = End::none;
};

}  // namespace fanfare::app
