#include "bench_wire.h"

#include <algorithm>
#include <cstring>

#include "ws/frame_header.h"
#include "ws/mask.h"

namespace fanfare::app {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
// A load generator's masks protect nobody: one key for all frames lets them be made once.
constexpr ws::MaskKey kMaskKey = 0x5A3C96E1;

std::vector<std::uint8_t> frame(ws::Role sender, ws::Opcode opcode, Bytes payload) {
  std::vector<std::uint8_t> made(ws::header_size(payload.size(), sender) + payload.size());
  std::uint8_t* at = ws::write_header(made.data(), sender, opcode, true, false, payload.size());
  if (sender == ws::Role::client) {
    std::memcpy(at, &kMaskKey, sizeof(kMaskKey));
    at += sizeof(kMaskKey);
  }
  if (payload.empty()) return made;
  std::memcpy(at, payload.data(), payload.size());
  if (sender == ws::Role::client) ws::unmask(MutableBytes(at, payload.size()), kMaskKey);
  return made;
}

}  // namespace

std::vector<std::uint8_t> masked_text_frame(std::string_view text) {
  return frame(ws::Role::client, ws::Opcode::text, as_bytes(text));
}

EchoWire make_echo_wire(std::size_t payload_size, std::size_t block_max, bool raw) {
  std::string text(payload_size, ' ');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 26);
  EchoWire wire;
  const std::vector<std::uint8_t> request = masked_text_frame(text);
  wire.request_size = request.size();
  wire.answer = raw ? request : frame(ws::Role::server, ws::Opcode::text, as_bytes(text));
  wire.block = std::clamp<std::size_t>(kBlockBytes / request.size(), 1, std::max<std::size_t>(1, block_max));
  wire.requests.reserve(wire.block * request.size());
  for (std::size_t i = 0; i < wire.block; ++i) {
    wire.requests.insert(wire.requests.end(), request.begin(), request.end());
  }
  return wire;
}

std::uint64_t EchoReader::read(Bytes bytes, const EchoWire& wire, std::vector<std::uint8_t>& pongs) {
  const Bytes answer = wire.answer;
  std::uint64_t found = 0;
  while (!bytes.empty() && end_ == End::none) {
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
