#include "eth/resume_image.h"

#include <map>
#include <utility>

#include "eth/cursor.h"

namespace fanfare::eth {
namespace {

constexpr std::uint64_t kImageVersion = 2;
constexpr std::size_t kCountMax = 0xffff;
constexpr std::uint64_t kIncomplete = 1;
constexpr std::uint64_t kStale = 2;

void put(std::string& out, std::uint64_t number, std::size_t bytes) {
  for (std::size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>(number >> (8 * i)));
}

void put(std::string& out, const pubsub::TopicKey& key) {
  put(out, key.high, 8);
  put(out, key.low, 8);
}

// The cursors of an image, each once.
class Cursors {
 public:
  std::uint64_t number_of(std::string_view text) {
    const auto [place, is_new] = numbers_.try_emplace(text, numbers_.size());
    if (is_new) {
      put(bytes_, text.size(), 2);
      bytes_ += text;
    }
    return place->second;
  }
  std::size_t count() const { return numbers_.size(); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::map<std::string_view, std::uint64_t> numbers_;
  std::string bytes_;
};

std::optional<std::string> encode(const SharedSession& session, bool with_may_have) {
  if (session.image.subscriptions.size() > kCountMax) return std::nullopt;
  Cursors cursors;
  std::string subscriptions;
  for (const ResumeImage::Subscription& one : session.image.subscriptions) {
    const bool leaves_out = !with_may_have && !one.may_have.empty();
    put(subscriptions, one.topic);
    put(subscriptions, one.id);
    put(subscriptions, (one.is_incomplete || leaves_out ? kIncomplete : 0) | (one.is_stale ? kStale : 0), 1);
    put(subscriptions, cursors.number_of(one.from), 2);
    put(subscriptions, leaves_out ? 0 : one.may_have.size(), 2);
    if (leaves_out) continue;
    for (const std::string& position : one.may_have) put(subscriptions, cursors.number_of(position), 2);
  }
  if (cursors.count() > kCountMax) return std::nullopt;
  std::string bytes;
  put(bytes, kImageVersion, 1);
  put(bytes, session.instance, 8);
  put(bytes, session.turn, 4);
  put(bytes, session.is_closed ? 1 : 0, 1);
  put(bytes, cursors.count(), 2);
  bytes += cursors.bytes();
  put(bytes, session.image.subscriptions.size(), 2);
  return bytes + subscriptions;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  // Zero, and is_good() is false from then on, if there are not so many bytes.
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char byte : text(bytes)) value = value << 8U | static_cast<std::uint8_t>(byte);
    return value;
  }
  std::string_view text(std::size_t bytes) {
    is_good_ = is_good_ && bytes <= left_.size();
    if (!is_good_) return {};
    const std::string_view taken = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return taken;
  }
  pubsub::TopicKey key() {
    const std::uint64_t high = number(8);
    return {.high = high, .low = number(8)};
  }
  bool is_good() const { return is_good_; }
  bool is_at_end() const { return is_good_ && left_.empty(); }

 private:
  std::string_view left_;
  bool is_good_ = true;
};

std::optional<std::vector<std::string>> read_cursors(Reader& reader) {
  std::vector<std::string> cursors;
  for (std::uint64_t count = reader.number(2); count > 0 && reader.is_good(); --count) {
    std::string& text = cursors.emplace_back(reader.text(reader.number(2)));
    if (!parse_cursor(text)) return std::nullopt;
  }
  return cursors;
}

std::optional<ResumeImage::Subscription> read_subscription(Reader& reader,
                                                           const std::vector<std::string>& cursors) {
  ResumeImage::Subscription one;
  one.topic = reader.key();
  one.id = reader.key();
  const std::uint64_t flags = reader.number(1);
  one.is_incomplete = (flags & kIncomplete) != 0;
  one.is_stale = (flags & kStale) != 0;
  const std::uint64_t from = reader.number(2);
  const std::uint64_t count = reader.number(2);
  if (!reader.is_good() || flags > (kIncomplete | kStale) || from >= cursors.size() || count > kMayHaveMax)
    return std::nullopt;
  one.from = cursors[from];
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t position = reader.number(2);
    if (!reader.is_good() || position >= cursors.size()) return std::nullopt;
    one.may_have.push_back(cursors[position]);
  }
  return one;
}

}  // namespace

std::optional<std::string> encode_session(const SharedSession& session, std::size_t bytes_max) {
  auto bytes = encode(session, true);
  if (!bytes || bytes->size() > bytes_max) bytes = encode(session, false);
  if (bytes && bytes->size() > bytes_max) bytes.reset();
  return bytes;
}

std::optional<SharedSession> decode_session(std::string_view bytes) {
  Reader reader(bytes);
  if (reader.number(1) != kImageVersion) return std::nullopt;
  SharedSession session;
  session.instance = reader.number(8);
  session.turn = static_cast<std::uint32_t>(reader.number(4));
  const std::uint64_t closed = reader.number(1);
  if (closed > 1) return std::nullopt;
  session.is_closed = closed == 1;
  const auto cursors = read_cursors(reader);
  if (!cursors) return std::nullopt;
  for (std::uint64_t count = reader.number(2); count > 0; --count) {
    auto one = read_subscription(reader, *cursors);
    if (!one) return std::nullopt;
    session.image.subscriptions.push_back(*std::move(one));
  }
  if (!reader.is_at_end()) return std::nullopt;
  return session;
}

}  // namespace fanfare::eth
