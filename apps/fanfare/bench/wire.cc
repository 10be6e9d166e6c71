#include "bench/wire.h"

#include <algorithm>
#include <cstring>

#include "ws/deflate_codec.h"
#include "ws/frame_header.h"
#include "ws/mask.h"

namespace fanfare::app {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::size_t kCycle = 64;
// A load generator needs no unpredictable masks; with one key, all frames can be built once.
constexpr ws::MaskKey kMaskKey = 0x5A3C96E1;

std::vector<std::uint8_t> frame(ws::Role sender, ws::Opcode opcode, Bytes payload, bool compressed = false) {
  std::vector<std::uint8_t> made(ws::header_size(payload.size(), sender) + payload.size());
  std::uint8_t* at = ws::write_header(made.data(), sender, opcode, true, compressed, payload.size());
  if (sender == ws::Role::client) {
    std::memcpy(at, &kMaskKey, sizeof(kMaskKey));
    at += sizeof(kMaskKey);
  }
  if (payload.empty()) return made;
  std::memcpy(at, payload.data(), payload.size());
  if (sender == ws::Role::client) ws::unmask(MutableBytes(at, payload.size()), kMaskKey);
  return made;
}

std::string letters(std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

// Pseudo-random numbers, the same in every run.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15U + 1) {}
  std::uint64_t below(std::uint64_t bound) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return (state_ >> 11U) % bound;
  }

 private:
  std::uint64_t state_;
};

std::string json_element(Dice& dice) {
  constexpr const char* kMarkets[] = {"compute", "storage", "energy", "ads"};
  constexpr const char* kStates[] = {"open", "filled", "cancelled"};
  return R"({"id":)" + std::to_string(100'000 + dice.below(900'000)) + R"(,"market":")" +
         kMarkets[dice.below(4)] + R"(","state":")" + kStates[dice.below(3)] + R"(","price":)" +
         std::to_string(dice.below(2000)) + "." + std::to_string(10 + dice.below(90)) + R"(,"time":)" +
         std::to_string(1'700'000'000 + dice.below(1'000'000)) + "}";
}

}  // namespace

std::vector<std::uint8_t> masked_text_frame(std::string_view text) {
  return frame(ws::Role::client, ws::Opcode::text, as_bytes(text));
}

std::string json_of_size(std::size_t size, std::uint64_t seed) {
  constexpr std::string_view kBegin = R"({"orders":[)";
  constexpr std::string_view kFill = R"(],"note":")";
  constexpr std::string_view kEnd = R"("})";
  constexpr std::size_t kLeast = kBegin.size() + kFill.size() + kEnd.size();
  if (size < 2) return std::string(size, '1');
  if (size < kLeast) return "\"" + letters(size - 2) + "\"";
  Dice dice(seed);
  std::string text(kBegin);
  while (true) {
    const std::string element = json_element(dice);
    if (text.size() + 1 + element.size() + kFill.size() + kEnd.size() > size) break;
    if (text.size() > kBegin.size()) text += ',';
    text += element;
  }
  text += kFill;
  text += letters(size - text.size() - kEnd.size());
  return text.append(kEnd);
}

void EchoWire::Frames::add(Bytes frame) {
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  begins.push_back(bytes.size());
}

EchoWire EchoWire::plain(std::size_t payload_size, std::size_t block_max, bool raw) {
  const std::string text = letters(payload_size);
  EchoWire wire;
  const std::vector<std::uint8_t> request = masked_text_frame(text);
  const std::vector<std::uint8_t> answer =
      raw ? request : frame(ws::Role::server, ws::Opcode::text, as_bytes(text));
  wire.frame_bytes_max_ = request.size();
  wire.answer_size_ = answer.size();
  const std::size_t block =
      std::clamp<std::size_t>(kBlockBytes / request.size(), 1, std::max<std::size_t>(1, block_max));
  for (std::size_t i = 0; i < block; ++i) {
    wire.first_.add(request);
    wire.answers_.insert(wire.answers_.end(), answer.begin(), answer.end());
  }
  return wire;
}

EchoWire EchoWire::compressed(std::size_t payload_size, const ws::DeflateParameters& agreed) {
  EchoWire wire;
  for (std::size_t i = 0; i < kCycle; ++i) wire.messages_.push_back(json_of_size(payload_size, i + 1));
  ws::DeflatePool pool(ws::DeflateOptions{});
  ws::DeflateCodec codec(agreed, ws::Role::client, pool);
  for (Frames* frames : {&wire.first_, &wire.again_}) {
    for (const std::string& message : wire.messages_) {
      // RFC7692§7.2.3.4 allows a final block, but not every server's inflater continues after one.
      const auto smaller =
          agreed.client_no_context_takeover
              ? pool.compress(as_bytes(message), agreed.client_max_window_bits, ws::Ending::sync_flush)
              : codec.compress(ws::Opcode::text, as_bytes(message));
      const std::vector<std::uint8_t> made =
          frame(ws::Role::client, ws::Opcode::text, smaller.value_or(as_bytes(message)), smaller.has_value());
      frames->add(made);
      wire.frame_bytes_max_ = std::max(wire.frame_bytes_max_, made.size());
    }
  }
  return wire;
}

EchoWire::Run EchoWire::run(std::uint64_t number, std::uint64_t most) const {
  const bool alike = messages_.empty();
  const Frames& frames = alike || number < messages_.size() ? first_ : again_;
  const std::size_t begin = alike ? 0 : static_cast<std::size_t>(number % messages_.size());
  const std::size_t all = frames.begins.size() - 1;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(most, all - begin));
  const std::size_t from = frames.begins[begin];
  return {.bytes = Bytes(frames.bytes).subspan(from, frames.begins[begin + count] - from), .count = count};
}

std::uint64_t EchoReader::read(Bytes bytes, const EchoWire& wire, std::vector<std::uint8_t>& pongs) {
  const Bytes answer = wire.answer();
  const Bytes answers = wire.answers();
  std::uint64_t found = 0;
  while (!bytes.empty() && end_ == End::none) {
    // The common case: only whole answers, compared many at a time.
    if (at_ == 0 && control_.empty()) {
      const std::size_t count = std::min(bytes.size(), answers.size()) / answer.size();
      if (count > 0 && std::memcmp(bytes.data(), answers.data(), count * answer.size()) == 0) {
        bytes = bytes.subspan(count * answer.size());
        found += count;
        continue;
      }
    }
    if (!control_.empty() || (at_ == 0 && bytes[0] != answer[0] && (bytes[0] & 0x08U) != 0)) {
      bytes = read_control(bytes, pongs);
      continue;
    }
    const std::size_t size = std::min(bytes.size(), answer.size() - at_);
    if (std::memcmp(bytes.data(), answer.data() + at_, size) != 0) {
      end_ = End::wrong;
      break;
    }
    bytes = bytes.subspan(size);
    at_ += size;
    if (at_ == answer.size()) {
      at_ = 0;
      ++found;
    }
  }
  return found;
}

Bytes EchoReader::read_control(Bytes bytes, std::vector<std::uint8_t>& pongs) {
  const std::size_t whole = control_.size() < 2 ? 2 : 2 + std::size_t{control_[1]};
  const std::size_t size = std::min(bytes.size(), whole - control_.size());
  control_.insert(control_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  bytes = bytes.subspan(size);
  if (control_.size() < 2 || control_.size() < 2 + std::size_t{control_[1]}) return bytes;
  const std::uint8_t opcode = control_[0] & 0x0FU;
  if (opcode == static_cast<std::uint8_t>(ws::Opcode::ping)) {
    const std::vector<std::uint8_t> pong =
        frame(ws::Role::client, ws::Opcode::pong, Bytes(control_).subspan(2));
    pongs.insert(pongs.end(), pong.begin(), pong.end());
  } else if (opcode == static_cast<std::uint8_t>(ws::Opcode::close)) {
    end_ = End::closed;
  } else if (opcode != static_cast<std::uint8_t>(ws::Opcode::pong)) {
    end_ = End::wrong;
  }
  control_.clear();
  return bytes;
}

}  // namespace fanfare::app
