// The cost of the protocol's steps: reading and writing frames, masks, UTF-8, the handshake.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "http/request_parser.h"
#include "ws/connection.h"
#include "ws/encode.h"
#include "ws/frame_header.h"
#include "ws/handshake.h"
#include "ws/mask.h"
#include "ws/utf8.h"

namespace fanfare::ws {
namespace {

class Memory final : public Output {
 public:
  std::uint8_t* extend(std::size_t size) override {
    if (used_ + size > bytes_.size()) bytes_.resize(2 * (used_ + size));
    used_ += size;
    return bytes_.data() + used_ - size;
  }
  void clear() { used_ = 0; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t used_ = 0;
};

// About 64 KiB of masked text frames. The mask is zero, so that reading does not change them.
std::vector<std::uint8_t> masked_frames(std::size_t payload_size, std::size_t& count) {
  const std::size_t frame_size = header_size(payload_size, Role::client) + payload_size;
  count = std::max<std::size_t>(1, std::size_t{65'536} / frame_size);
  std::vector<std::uint8_t> frames(count * frame_size, 'a');
  std::uint8_t* at = frames.data();
  for (std::size_t i = 0; i < count; ++i) {
    std::uint8_t* const key = write_header(at, Role::client, Opcode::text, true, false, payload_size);
    std::fill_n(key, 4, std::uint8_t{0});
    at += frame_size;
  }
  return frames;
}

void tell_each(benchmark::State& state, std::size_t count, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(count));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void parse_headers(benchmark::State& state) {
  std::size_t count = 0;
  const auto frames = masked_frames(static_cast<std::size_t>(state.range(0)), count);
  const std::size_t frame_size = frames.size() / count;
  const FrameExpectation expect{.data_bytes_max = 1 << 20};
  for (auto _ : state) {
    for (std::size_t i = 0; i < count; ++i) {
      benchmark::DoNotOptimize(parse_header(Bytes(frames).subspan(i * frame_size, frame_size), expect));
    }
  }
  tell_each(state, count, frames.size());
}
BENCHMARK(parse_headers)->ArgName("payload")->Arg(20)->Arg(512)->Arg(65'536);

// Header, unmasking, UTF-8: the engine's work on a frame before its handler is called.
void read_messages(benchmark::State& state) {
  std::size_t count = 0;
  auto frames = masked_frames(static_cast<std::size_t>(state.range(0)), count);
  Memory output;
  Connection connection({.role = Role::server, .codec = nullptr});
  for (auto _ : state) {
    MutableBytes input = frames;
    while (const auto event = connection.next(input, output)) benchmark::DoNotOptimize(event->payload.data());
  }
  tell_each(state, count, frames.size());
}
BENCHMARK(read_messages)->ArgName("payload")->Arg(20)->Arg(125)->Arg(512)->Arg(1024)->Arg(65'536);

void write_messages(benchmark::State& state) {
  const std::vector<std::uint8_t> payload(static_cast<std::size_t>(state.range(0)), 'a');
  Memory output;
  Connection connection({.role = Role::server, .codec = nullptr});
  for (auto _ : state) {
    output.clear();
    benchmark::DoNotOptimize(connection.send(Opcode::text, payload, output));
  }
  tell_each(state, 1, payload.size());
}
BENCHMARK(write_messages)->ArgName("payload")->Arg(20)->Arg(512)->Arg(65'536);

void encode_shared(benchmark::State& state) {
  const std::vector<std::uint8_t> payload(static_cast<std::size_t>(state.range(0)), 'a');
  for (auto _ : state) benchmark::DoNotOptimize(encode_message(Opcode::text, payload));
  tell_each(state, 1, payload.size());
}
BENCHMARK(encode_shared)->ArgName("payload")->Arg(500);

template <bool (*Unmask)(MutableBytes, MaskKey)>
void mask(benchmark::State& state) {
  std::vector<std::uint8_t> payload(static_cast<std::size_t>(state.range(0)), 'a');
  for (auto _ : state) {
    benchmark::DoNotOptimize(Unmask(payload, 0x5A3C96E1));
    benchmark::ClobberMemory();
  }
  tell_each(state, 1, payload.size());
}
BENCHMARK(mask<unmask>)->ArgName("bytes")->Arg(7)->Arg(20)->Arg(64)->Arg(125)->Arg(1024)->Arg(65'536);
BENCHMARK(mask<unmask_plain>)->ArgName("bytes")->Arg(20)->Arg(65'536);

std::string repeated(std::string_view text, std::size_t size) {
  std::string made;
  while (made.size() < size) made += text;
  return made;
}

void validate(benchmark::State& state, bool (*is_valid)(Bytes), std::string_view sample) {
  const std::string text = repeated(sample, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(is_valid(as_bytes(text)));
  tell_each(state, 1, text.size());
}
constexpr std::string_view kAscii = "plain words, {\"n\":1}; ";
constexpr std::string_view kMixed = "größer, naïve, 10 €; ";
constexpr std::string_view kWide = "毎日少しずつ前へ";
BENCHMARK_CAPTURE(validate, utf8_ascii, is_valid_utf8, kAscii)->Arg(20)->Arg(1024)->Arg(65'536);
BENCHMARK_CAPTURE(validate, utf8_mixed, is_valid_utf8, kMixed)->Arg(1024)->Arg(65'536);
BENCHMARK_CAPTURE(validate, utf8_wide, is_valid_utf8, kWide)->Arg(1024)->Arg(65'536);
BENCHMARK_CAPTURE(validate, utf8_mixed_plain, is_valid_utf8_plain, kMixed)->Arg(65'536);

constexpr std::string_view kRequest =
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUser-Agent: a browser of some length\r\n"
    "Accept-Encoding: gzip, deflate\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

// From the bytes of the request to those of the 101.
void handshake(benchmark::State& state) {
  const UpgradePolicy policy;
  for (auto _ : state) {
    http::RequestParser parser;
    Bytes input = as_bytes(kRequest);
    const auto request = parser.next(input);
    if (!request || !*request) return state.SkipWithError("the request is not read");
    const auto accepted = accept_upgrade(
        {.method = (*request)->method, .target = (*request)->target, .headers = (*request)->headers}, policy);
    if (!accepted) return state.SkipWithError("the upgrade is refused");
    benchmark::DoNotOptimize(accepted->response());
  }
  tell_each(state, 1, kRequest.size());
}
BENCHMARK(handshake);

}  // namespace
}  // namespace fanfare::ws
