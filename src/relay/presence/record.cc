#include "relay/presence/record.h"

#include <charconv>

#include "base/text.h"

namespace fanfare::relay {
namespace {

class Writer {
 public:
  void number(std::uint64_t value, int size) {
    for (int i = size - 1; i >= 0; --i)
      text.push_back(static_cast<char>(static_cast<std::uint8_t>(value >> (8U * static_cast<unsigned>(i)))));
  }
  void names(const std::vector<std::string>& all) {
    number(all.size(), 4);
    for (const std::string& name : all) {
      number(name.size(), 2);
      text += name;
    }
  }
  std::string text;
};

// After an error every read gives zero.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : left_(bytes) {}

  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : take(size)) value = value << 8U | byte;
    return value;
  }
  // Each one takes at least so many bytes, so a count that is too large is an error before anything is allocated.
  std::size_t count(std::size_t each_min) {
    const auto found = static_cast<std::size_t>(number(4));
    if (found > left_.size() / each_min) is_broken_ = true;
    return is_broken_ ? 0 : found;
  }
  std::vector<std::string> names() {
    std::vector<std::string> all(count(kNameOverhead));
    for (std::string& name : all) name = as_text(take(static_cast<std::size_t>(number(kNameOverhead))));
    return all;
  }
  bool is_at_end() const { return !is_broken_ && left_.empty(); }

 private:
  Bytes take(std::size_t size) {
    if (is_broken_ || size > left_.size()) {
      is_broken_ = true;
      return {};
    }
    const Bytes taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }

  Bytes left_;
  bool is_broken_ = false;
};

bool is_kind(std::uint8_t byte) {
  switch (static_cast<PresenceRecord::Kind>(byte)) {
    case PresenceRecord::Kind::change:
    case PresenceRecord::Kind::base:
    case PresenceRecord::Kind::bye:
    case PresenceRecord::Kind::tell:
    case PresenceRecord::Kind::done:
    case PresenceRecord::Kind::gone:
      return true;
  }
  return false;
}

}  // namespace

std::string encode(const PresenceRecord& record) {
  Writer out;
  out.number(static_cast<std::uint8_t>(record.kind), 1);
  out.number(record.event, 8);
  out.number(record.at.epoch, 8);
  out.number(record.at.offset, 8);
  out.number(record.part, 4);
  out.number(record.parts, 4);
  out.number(record.gone.size(), 4);
  for (const MemberLog& log : record.gone) {
    out.number(log.instance, 8);
    out.number(log.turn, 4);
  }
  out.names(record.change.joined);
  out.names(record.change.left);
  return std::move(out.text);
}

std::optional<PresenceRecord> decode(Bytes bytes) {
  Cursor in(bytes);
  const auto kind = static_cast<std::uint8_t>(in.number(1));
  if (!is_kind(kind)) return std::nullopt;
  PresenceRecord record{.kind = static_cast<PresenceRecord::Kind>(kind)};
  record.event = in.number(8);
  record.at.epoch = in.number(8);
  record.at.offset = in.number(8);
  record.part = static_cast<std::uint32_t>(in.number(4));
  record.parts = static_cast<std::uint32_t>(in.number(4));
  record.gone.resize(in.count(12));
  for (MemberLog& log : record.gone) {
    log.instance = in.number(8);
    log.turn = static_cast<std::uint32_t>(in.number(4));
  }
  record.change.joined = in.names();
  record.change.left = in.names();
  if (!in.is_at_end()) return std::nullopt;
  return record;
}

std::string to_text(MemberLog log) {
  return std::to_string(log.instance) + "-" + std::to_string(log.turn);
}

std::optional<MemberLog> member_log_of(std::string_view text) {
  MemberLog log;
  const char* const end = text.data() + text.size();
  const auto [dash, error] = std::from_chars(text.data(), end, log.instance);
  if (error != std::errc() || dash == end || *dash != '-') return std::nullopt;
  const auto [rest, second_error] = std::from_chars(dash + 1, end, log.turn);
  if (second_error != std::errc() || rest != end) return std::nullopt;
  return log;
}

}  // namespace fanfare::relay
