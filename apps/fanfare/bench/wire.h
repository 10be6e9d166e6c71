#pragma once
// The bytes of an echo benchmark, built once: masked frames in the order in which every connection sends
// them, and the expected answers. Compressed messages differ from each other within a cycle; otherwise the
// window with context takeover would already contain each of them:
//
//   number      0 1 2 ... 63 | 64 65 66 ... 127 | 128 ...
//   frame       first[0..63] | again[0..63]     | again[0..63] ...
//
// `first` is compressed with an empty window, `again` with the previous cycle in the window. From then on
// every cycle compresses to the same bytes.

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
  // Every message has `payload_size` letters. Contains at least one frame, and about 64 KiB of frames. `raw`:
  // the peer sends bytes back unchanged, so the answer equals the request.
  static EchoWire plain(std::size_t payload_size, std::size_t block_max, bool raw);
  // 64 messages of `payload_size` bytes of JSON, compressed as negotiated.
  static EchoWire compressed(std::size_t payload_size, const ws::DeflateParameters& agreed);

  // The frames of consecutive messages, contiguous in memory.
  struct Run {
    Bytes bytes;
    std::uint64_t count = 0;
  };
  // At least one and at most `most` messages, starting with a connection's message `number`.
  Run run(std::uint64_t number, std::uint64_t most) const;
  std::size_t frame_bytes_max() const { return frame_bytes_max_; }

  // Without compression: the answer to every message, and a sequence of `answers_count` answers.
  Bytes answer() const { return Bytes(answers_).first(answer_size_); }
  Bytes answers() const { return answers_; }
  // With compression: the payload of message `number`.
  std::string_view message(std::uint64_t number) const { return messages_[number % messages_.size()]; }

 private:
  struct Frames {
    std::vector<std::uint8_t> bytes;
    std::vector<std::size_t> begins = {0};  // start of each frame, and the end of the last one
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

// `size` bytes of JSON, about as compressible as that of real applications; different for each seed.
std::string json_of_size(std::size_t size, std::uint64_t seed);

// Counts answers in a stream of bytes, regardless of the read boundaries, and compares every byte.
class EchoReader {
 public:
  enum class End : std::uint8_t { none, closed, wrong };

  // Returns the number of answers completed by `bytes`. For each ping, appends a whole pong frame to `pongs`.
  std::uint64_t read(Bytes bytes, const EchoWire& wire, std::vector<std::uint8_t>& pongs);
  // closed: a Close frame arrived; wrong: an unexpected frame. Final.
  End end() const { return end_; }

 private:
  Bytes read_control(Bytes bytes, std::vector<std::uint8_t>& pongs);

  std::size_t at_ = 0;                 // offset in the current answer
  std::vector<std::uint8_t> control_;  // the received part of a control frame
  End end_ = End::none;
};

}  // namespace fanfare::app
