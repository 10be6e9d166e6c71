#pragma once
// The bytes of an echo benchmark, made once: masked frames in the order in which every connection sends them,
// and what has to come back. Compressed messages differ from each other, in a cycle, or a window that is
// taken over would hold each of them already:
//
//   number      0 1 2 ... 63 | 64 65 66 ... 127 | 128 ...
//   frame       first[0..63] | again[0..63]     | again[0..63] ...
//
// `first` is compressed from nothing, `again` with the cycle before it in the window: from there on every
// cycle is compressed to the same bytes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "ws/deflate_options.h"

namespace fanfare::app {

class EchoWire {
 public:
  // `payload_size` bytes of letters in every message, at least one frame and about 64 KiB of them. `raw`: the
  // peer sends bytes back as they are, so the answer is the request.
  static EchoWire plain(std::size_t payload_size, std::size_t block_max, bool raw);
  // 64 messages of `payload_size` bytes of JSON, compressed as was agreed.
  static EchoWire compressed(std::size_t payload_size, const ws::DeflateParameters& agreed);

  // The frames of consecutive messages as they lie in memory.
  struct Run {
    Bytes bytes;
    std::uint64_t count = 0;
  };
  // At least one and at most `most` messages, from the `number`-th that a connection sends.
  Run run(std::uint64_t number, std::uint64_t most) const;
  std::size_t frame_bytes_max() const { return frame_bytes_max_; }

  // Not compressed: what every message comes back as, and `answers_count` of them in a row.
  Bytes answer() const { return Bytes(answers_).first(answer_size_); }
  Bytes answers() const { return answers_; }
  // Compressed: the payload of the `number`-th message.
  std::string_view message(std::uint64_t number) const { return messages_[number % messages_.size()]; }

 private:
  struct Frames {
    std::vector<std::uint8_t> bytes;
    std::vector<std::size_t> begins = {0};  // of each frame, and behind the last
    void add(Bytes frame);
  };

  Frames first_;
  Frames again_;
  std::size_t frame_bytes_max_ = 0;
  std::vector<std::uint8_t> answers_;
  std::size_t answer_size_ = 0;
  std::vector<std::string> messages_;
};

// One masked text frame.
std::vector<std::uint8_t> masked_text_frame(std::string_view text);

// `size` bytes of JSON such as applications send, about as compressible; another for each seed.
std::string json_of_size(std::size_t size, std::uint64_t seed);

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
