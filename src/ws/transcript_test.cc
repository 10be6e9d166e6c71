// Replays tests/transcripts/*.md: whole, byte by byte, and cut at random positions. Each replay must give the
// same events, output and state. The format is described in tests/transcripts/README.md.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ws/connection.h"
#include "ws/deflate_codec.h"
#include "ws/wire_for_tests.h"

namespace fanfare::ws {
namespace {

using testing::hex;
using testing::joined;
using testing::KeptOutput;
using testing::Wire;
using testing::wire;

// What happens between two of our own acts, and the act that ends it.
struct Turn {
  std::string act;  // "send text 'x'"; empty for the first turn of a transcript that starts with input
  Wire in;
  std::vector<std::string> events;
  Wire out;
  std::string state;  // checked when not empty
  std::string transport;
};

struct Transcript {
  std::string name;  // file, line and heading
  Role role = Role::server;
  bool compression = false;  // permessage-deflate without parameters was negotiated
  Limits limits;
  std::vector<Turn> turns;
};

// Returns the first word and removes it from `rest`.
std::string take_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const std::size_t end = std::min(rest.find(' '), rest.size());
  std::string word(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

std::string described(const Event& event) {
  switch (event.kind) {
    case Event::Kind::message:
      return (event.opcode == Opcode::text ? "text " : "binary ") + hex(event.payload);
    case Event::Kind::ping:
      return "ping " + hex(event.payload);
    case Event::Kind::pong:
      return "pong " + hex(event.payload);
    case Event::Kind::close:
      return "close " + std::to_string(event.code) + " " + hex(event.payload);
    case Event::Kind::failed:
      return "failed " + std::string(info(event.rule).name);
  }
  return "";
}

std::string described(std::string_view line) {
  const std::string kind = take_word(line);
  if (kind == "failed") {
    const std::string rule = take_word(line);
    if (find_rule(rule) == nullptr) throw std::invalid_argument("no such rule: " + rule);
    return kind + " " + rule;
  }
  if (kind == "close") {
    const std::string code = take_word(line);
    return kind + " " + code + " " + hex(wire(line));
  }
  if (kind != "text" && kind != "binary" && kind != "ping" && kind != "pong") {
    throw std::invalid_argument("no such event: " + kind);
  }
  return kind + " " + hex(wire(line));
}

void read_line(Transcript& transcript, std::string_view line) {
  const std::string word = take_word(line);
  if (word == "role") {
    transcript.role = take_word(line) == "client" ? Role::client : Role::server;
    return;
  }
  if (word == "compression") {
    transcript.compression = true;
    return;
  }
  if (word == "message_bytes_max") {
    transcript.limits.message_bytes_max = std::stoul(take_word(line));
    return;
  }
  if (word == "fragments_max") {
    transcript.limits.fragments_max = static_cast<std::uint32_t>(std::stoul(take_word(line)));
    return;
  }
  auto& turns = transcript.turns;
  const auto said_more = [&] {
    const Turn& turn = turns.back();
    return !turn.events.empty() || !turn.out.empty() || !turn.state.empty() || !turn.transport.empty();
  };
  // Bytes after an expectation are sent only once it has been met.
  if (word == "do" || turns.empty() || (word == "in" && said_more())) turns.emplace_back();
  Turn& turn = turns.back();
  if (word == "do") {
    turn.act = line;
  } else if (word == "in") {
    turn.in = joined(turn.in, wire(line));
  } else if (word == "event") {
    turn.events.push_back(described(line));
  } else if (word == "out") {
    turn.out = joined(turn.out, wire(line));
  } else if (word == "state") {
    turn.state = line;
  } else if (word == "transport") {
    turn.transport = line;
  } else {
    throw std::invalid_argument("no such word: " + word);
  }
}

std::vector<Transcript> read_transcripts() {
  std::vector<Transcript> transcripts;
  for (const auto& entry : std::filesystem::directory_iterator(FANFARE_SOURCE_DIR "/tests/transcripts")) {
    if (entry.path().extension() != ".md" || entry.path().filename() == "README.md") continue;
    std::ifstream file(entry.path());
    std::string heading;
    bool inside = false;
    int number = 0;
    for (std::string line; std::getline(file, line);) {
      const std::string place = entry.path().filename().string() + ":" + std::to_string(++number);
      if (line.starts_with("## ")) heading = line.substr(3);
      if (line.starts_with("```")) {
        inside = line == "```transcript";
        if (inside) transcripts.push_back({.name = std::string(place).append(" ").append(heading)});
        continue;
      }
      if (!inside || line.empty()) continue;
      try {
        read_line(transcripts.back(), line);
      } catch (const std::exception& wrong) {
        ADD_FAILURE() << place << ": " << wrong.what();
      }
    }
  }
  return transcripts;
}

// Masks with zeros, so that a client's payload is readable in its transcript.
class ZeroRandom final : public Random {
 public:
  void fill(MutableBytes bytes) override { std::ranges::fill(bytes, std::uint8_t{0}); }
};

std::string_view name_of(State state) {
  switch (state) {
    case State::open:
      return "open";
    case State::closing:
      return "closing";
    case State::closed:
      return "closed";
    case State::failed:
      return "failed";
  }
  return "";
}

std::string_view name_of(SendResult result) {
  switch (result) {
    case SendResult::ok:
      return "ok";
    case SendResult::not_open:
      return "not_open";
    case SendResult::in_message:
      return "in_message";
    case SendResult::too_long:
      return "too_long";
    case SendResult::invalid_close:
      return "invalid_close";
  }
  return "";
}

void act(Connection& connection, std::string_view line, KeptOutput& output) {
  std::string_view expected = "ok";
  if (const std::size_t arrow = line.find(" -> "); arrow != std::string_view::npos) {
    expected = line.substr(arrow + 4);
    line = line.substr(0, arrow);
  }
  const std::string verb = take_word(line);
  std::optional<SendResult> result;
  if (verb == "send") {
    const Opcode opcode = take_word(line) == "text" ? Opcode::text : Opcode::binary;
    result = connection.send(opcode, wire(line), output);
  } else if (verb == "fragment") {
    const bool last = take_word(line) == "last";
    result = connection.send_fragment(Opcode::text, wire(line), last, output);
  } else if (verb == "ping") {
    result = connection.ping(wire(line), output);
  } else if (verb == "pong") {
    result = connection.pong(wire(line), output);
  } else if (verb == "close") {
    const auto code = static_cast<std::uint16_t>(std::stoul(take_word(line)));
    result = connection.close(code, as_text(wire(line)), output);
  }
  ASSERT_TRUE(result.has_value()) << "no such act: " << verb;
  EXPECT_EQ(name_of(*result), expected) << verb;
}

// Returns how many of the remaining bytes to pass next.
using Splitter = std::function<std::size_t(std::size_t)>;

void replay(const Transcript& transcript, const Splitter& split) {
  SCOPED_TRACE(transcript.name);
  ZeroRandom random;
  KeptOutput output;
  DeflatePool pool{DeflateOptions{}};
  std::unique_ptr<MessageCodec> codec;
  if (transcript.compression) {
    codec = std::make_unique<DeflateCodec>(DeflateParameters{}, transcript.role, pool);
  }
  Connection connection(
      {.role = transcript.role, .limits = &transcript.limits, .random = &random, .codec = std::move(codec)});
  for (const Turn& turn : transcript.turns) {
    if (!turn.act.empty()) act(connection, turn.act, output);
    std::vector<std::string> events;
    Bytes left = turn.in;
    while (!left.empty()) {
      const std::size_t size = split(left.size());
      // Each piece has its own memory, so that use of an outdated view is detected.
      Wire piece(left.begin(), left.begin() + size);
      left = left.subspan(size);
      MutableBytes input = piece;
      while (const auto event = connection.next(input, output)) events.push_back(described(*event));
      EXPECT_TRUE(input.empty());
    }
    EXPECT_EQ(events, turn.events);
    EXPECT_EQ(hex(output.take()), hex(turn.out));
    if (!turn.state.empty()) {
      EXPECT_EQ(name_of(connection.state()), turn.state);
    }
    if (!turn.transport.empty()) {
      EXPECT_EQ(connection.should_close_transport() ? "close" : "keep", turn.transport);
    }
  }
}

TEST(Transcripts, Whole) {
  const auto transcripts = read_transcripts();
  EXPECT_GT(transcripts.size(), 40U);
  for (const Transcript& transcript : transcripts) replay(transcript, [](std::size_t left) { return left; });
}

TEST(Transcripts, ByteByByte) {
  for (const Transcript& transcript : read_transcripts()) {
    replay(transcript, [](std::size_t) -> std::size_t { return 1; });
  }
}

TEST(Transcripts, AtAHundredRandomSplits) {
  for (const Transcript& transcript : read_transcripts()) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      std::mt19937 random(seed);
      replay(transcript, [&](std::size_t left) { return 1 + random() % left; });
      if (::testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace fanfare::ws
