#include "bench/answers.h"

#include <limits>
#include <utility>

#include "ws/deflate_codec.h"

namespace fanfare::app {

AnswerTools::AnswerTools() : pool({.context_bytes_max = std::numeric_limits<std::size_t>::max()}) {}

ws::Connection::Options protocol_options(const std::optional<ws::DeflateParameters>& agreed,
                                         AnswerTools& tools) {
  ws::Connection::Options options{.role = ws::Role::client, .random = &tools.random, .codec = nullptr};
  if (agreed) options.codec = std::make_unique<ws::DeflateCodec>(*agreed, ws::Role::client, tools.pool);
  return options;
}

AnswerReader::AnswerReader(const std::optional<ws::DeflateParameters>& agreed, AnswerTools& tools) {
  if (agreed) inflating_ = std::make_unique<Inflating>(protocol_options(agreed, tools));
}

std::uint64_t AnswerReader::inflate(MutableBytes bytes, const EchoWire& wire,
                                    std::vector<std::uint8_t>& pongs) {
  Inflating& here = *inflating_;
  std::uint64_t found = 0;
  while (here.end == EchoReader::End::none) {
    const auto event = here.protocol.next(bytes, here.output);
    if (!event) break;
    switch (event->kind) {
      case ws::Event::Kind::message:
        if (as_text(event->payload) == wire.message(here.next)) {
          ++here.next;
          ++found;
        } else {
          here.end = EchoReader::End::wrong;
        }
        break;
      case ws::Event::Kind::close:
        here.end = EchoReader::End::closed;
        break;
      case ws::Event::Kind::failed:
        here.end = EchoReader::End::wrong;
        break;
      case ws::Event::Kind::ping:
      case ws::Event::Kind::pong:
        break;
    }
  }
  pongs.insert(pongs.end(), here.output.bytes.begin(), here.output.bytes.end());
  here.output.bytes.clear();
  return found;
}

}  // namespace fanfare::app
