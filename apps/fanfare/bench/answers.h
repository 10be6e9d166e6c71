#pragma once
// Counts and compares the answers on one connection: plain frames byte by byte, compressed ones after
// inflating.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "bench/bytebox.h"
#include "bench/wire.h"
#include "ws/connection.h"
#include "ws/deflate_options.h"
#include "ws/deflate_pool.h"

namespace fanfare::app {

// The state shared by the connections of one benchmark. Must outlive them.
struct AnswerTools {
  AnswerTools();
  SystemRandom random;
  ws::DeflatePool pool;
};

// The options for the client's side of one connection.
ws::Connection::Options protocol_options(const std::optional<ws::DeflateParameters>& agreed,
                                         AnswerTools& tools);

class AnswerReader {
 public:
  // `agreed` empty: plain frames.
  AnswerReader(const std::optional<ws::DeflateParameters>& agreed, AnswerTools& tools);

  // As EchoReader::read(); may change the bytes.
  std::uint64_t read(MutableBytes bytes, const EchoWire& wire, std::vector<std::uint8_t>& pongs) {
    return inflating_ == nullptr ? plain_.read(bytes, wire, pongs) : inflate(bytes, wire, pongs);
  }
  EchoReader::End end() const { return inflating_ == nullptr ? plain_.end() : inflating_->end; }

 private:
  struct Inflating {
    explicit Inflating(ws::Connection::Options options) : protocol(std::move(options)) {}
    ws::Connection protocol;
    Bytebox output;
    std::uint64_t next = 0;  // number of the next message
    EchoReader::End end = EchoReader::End::none;
  };
  std::uint64_t inflate(MutableBytes bytes, const EchoWire& wire, std::vector<std::uint8_t>& pongs);

  EchoReader plain_;
  std::unique_ptr<Inflating> inflating_;
};

}  // namespace fanfare::app
