// The input is lines. The first character of a line says what it is: 'c' a message of the client, 'v' a value that the stream
// publishes, 'a' a node's answer to a poll, 'p' a JSON pointer into the last value, 'n' an interruption, 'r' its end.
//
// Whatever comes, the server's messages are JSON objects with a type; a client that applies the merge patches has the values of one
// that gets whole ones, and the checksums fit; a node's answer becomes an object or an error; a pointer that is accepted leads to a
// value that is in the document.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/random.h"
#include "base/time.h"
#include "jsonrpc/value.h"
#include "pubsub/hub.h"
#include "pubsub/loop_hub.h"
#include "streams/canonical.h"
#include "streams/catalog.h"
#include "streams/client.h"
#include "streams/mapping.h"
#include "streams/merge_patch.h"
#include "streams/pointer.h"
#include "ws/encode.h"

namespace {

using namespace fanfare;
using namespace fanfare::streams;

class OneLoop final : public pubsub::HubLoops, public pubsub::LoopPort {
 public:
  OneLoop() : hub({}, random_), loop_hub(hub, 0, *this) { hub.attach(*this); }
  ~OneLoop() { hub.stop_relay(); }

  std::size_t count() const override { return 1; }
  bool post(std::size_t, Task task) override {
    tasks_.push_back(std::move(task));
    return true;
  }
  Instant now() override { return clock.now(); }
  void call_after(Duration, UniqueFunction<void()>) override {}
  void run() {
    while (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task(loop_hub);
    }
  }

  ManualClock clock;

 private:
  SeededRandom random_{1};
  std::deque<Task> tasks_;

 public:
  pubsub::Hub hub;
  pubsub::LoopHub loop_hub;
};

// Reads what the server sends, as a client would.
class Reader final : public ClientPort {
 public:
  explicit Reader(streams::LoopStreams& loop) : client(loop, *this, Transport::websocket) {}

  bool is_open() const override { return open_; }
  bool is_congested() const override { return false; }
  void send(std::string_view json) override { read(json); }
  bool send_shared(const SharedBytes& bytes) override {
    const Bytes frame = bytes.view();
    const std::size_t head = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
    read(as_text(frame.subspan(head)));
    return true;
  }
  bool has_room_behind(std::size_t) override { return true; }
  void send_waiting_later() override {}
  void close(std::uint16_t, std::string_view) override { open_ = false; }

  std::optional<Json> value;  // of the stream
  Client client;

 private:
  void read(std::string_view text) {
    const auto message = parse_json(text, 64);
    FANFARE_CHECK(message && message->is(Json::Kind::object));
    const Json* const type = message->find("type");
    FANFARE_CHECK(type != nullptr && type->is(Json::Kind::string));
    if (type->text == "subscribed") {
      value.reset();
      if (const Json* const history = message->find("history");
          history != nullptr && !history->items.empty()) {
        value = *history->items.back().find("data");
      }
    }
    if (type->text != "s") return;
    if (const Json* const data = message->find("data")) {
      value = *data;
    } else {
      // After `recovered`, a patch may be against a value from before; this client has kept none.
      if (!value) return;
      apply_merge_patch(*value, *message->find("patch"));
    }
    if (const Json* const checksum = message->find("checksum")) {
      std::string digits(8, '0');
      std::uint32_t crc = checksum_of(*value);
      for (std::size_t i = 8; i-- > 0; crc >>= 4U) digits[i] = "0123456789abcdef"[crc & 15U];
      FANFARE_CHECK(checksum->text == digits);
    }
  }

  bool open_ = true;
};

StreamSpec spec() {
  using Kind = FieldSpec::Kind;
  return {
      .name = "s",
      .calls = {{.name = "r", .method = "m"}},
      .fields = {{.name = "whole", .pointer = "/r"},
                 {.name = "rate", .pointer = "/r/a", .per_second = true, .decimals = 3, .fallback = Json()},
                 {.name = "number", .pointer = "/r/n", .as = FieldSpec::As::number, .fallback = Json()},
                 {.name = "count", .kind = Kind::count, .pointer = "/r", .fallback = Json()},
                 {.name = "list",
                  .kind = Kind::list,
                  .pointer = "/r/list",
                  .fallback = Json::array(),
                  .fields = {{.name = "id", .pointer = "/id"}}},
                 {.name = "size", .kind = Kind::size, .of = "list"}}};
}

class World {
 public:
  World() : catalog_(loop_.hub, {.messages_per_second = 100'000}), spec_(spec()), mapping_(spec_) {
    FANFARE_CHECK(!problem_with(spec_));
    stream_ = *catalog_.add({.name = "s", .history_messages = 4});
    FANFARE_CHECK(catalog_.add({.name = "other"}).has_value());
    whole_->client.receive(true, R"({"type":"subscribe","stream":"s"})");
    patched_->client.receive(true, R"({"type":"subscribe","stream":"s","delta":"merge"})");
  }

  void run(std::string_view line) {
    if (line.empty()) return;
    const std::string_view text = line.substr(1);
    switch (line.front()) {
      case 'c':
        fuzzed_->client.receive(true, text);
        break;
      case 'v':
        if (auto value = parse_json(text)) publish(*std::move(value));
        break;
      case 'a':
        answer(text);
        break;
      case 'p':
        if (const auto pointer = JsonPointer::parse(text)) FANFARE_CHECK(pointer->text() == text);
        if (const auto pointer = JsonPointer::parse(text); pointer && last_ && text.empty()) {
          FANFARE_CHECK(pointer->find(*last_) == &*last_);
        } else if (pointer && last_) {
          static_cast<void>(pointer->find(*last_));
        }
        break;
      case 'n':
        stream_->interrupt("a reason", 1);
        break;
      case 'r':
        stream_->restore(1);
        break;
      default:
        break;
    }
    loop_.run();
    check();
  }

 private:
  void publish(Json value) {
    if (stream_->publish(value, 1) == Stream::Published::yes) last_ = std::move(value);
  }

  void answer(std::string_view text) {
    auto result = parse_json(text, 64);
    if (!result) return;
    loop_.clock.advance(std::chrono::milliseconds(700));
    Json document = Json::object();
    document.set("r", *std::move(result));
    auto value = mapping_.map(document, loop_.clock.now());
    if (!value) {
      FANFARE_CHECK(!value.error().empty());
      return;
    }
    FANFARE_CHECK(value->is(Json::Kind::object) && value->members.size() == spec_.fields.size());
    FANFARE_CHECK(jsonrpc::is_valid_json(value->write(), 128));
    FANFARE_CHECK(jsonrpc::is_valid_json(canonical_text(*value), 128));
    // Values may not nest deeper than messages.
    if (parse_json(value->write())) publish(*std::move(value));
  }

  void check() const {
    if (!last_) return;
    FANFARE_CHECK(whole_->value && *whole_->value == *last_);
    FANFARE_CHECK(patched_->value && canonical_text(*patched_->value) == canonical_text(*last_));
  }

  OneLoop loop_;
  Catalog catalog_;
  const StreamSpec spec_;
  Mapping mapping_;
  std::shared_ptr<Stream> stream_;
  streams::LoopStreams shared_{.catalog = catalog_, .hub = loop_.loop_hub, .clock = loop_.clock};
  std::unique_ptr<Reader> whole_ = std::make_unique<Reader>(shared_);
  std::unique_ptr<Reader> patched_ = std::make_unique<Reader>(shared_);
  std::unique_ptr<Reader> fuzzed_ = std::make_unique<Reader>(shared_);
  std::optional<Json> last_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  std::string_view text = as_text(Bytes(data, size));
  World world;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    world.run(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return 0;
}
