#pragma once
// What comes back on one connection, counted and compared: plain frames byte by byte, compressed ones
// inflated and then compared.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "bench_bytebox.h"
#include "bench_wire.h"
#include "ws/connection.h"
#include "ws/deflate_options.h"
#include "ws/deflate_pool.h"

namespace fanfare::app {

// What the connections of one benchmark share. Outlives them.
struct AnswerTools {
  AnswerTools();
  SystemRandom random;
  ws::DeflatePool pool;
};

// Of the client's side of one connection.
ws::Connection::Options protocol_options(const std::optional<ws::DeflateParameters>& agreed,
                                         AnswerTools& tools);

class AnswerReader {
 public:
  // Empty `agreed`: plain frames.
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
    std::uint64_t next = 0;  // number of the message that is to come
    EchoReader::End end = EchoReader::End::none;
  };
  std::uint64_t inflate(MutableBytes bytes, const EchoWire& wire, std::vector<std::uint8_t>& pongs);

  EchoReader plain_;
  std::unique_ptr<Inflating> inflating_;
};

}  // namespace fanfare::app
