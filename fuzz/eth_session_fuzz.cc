// What one instance tells another about the session of a client (eth::decode_session): it is read or refused. What is read is written
// with the same bytes, also in less room, and a record that continues from it finds what it says: where each subscription goes on, and
// what its client may have.
//
// The first two bytes are the room that the copy has, little-endian, in 15 bits. With the last bit the rest is a recipe for a session,
// because cursors have a checksum; otherwise it is a copy.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/text.h"
#include "eth/cursor.h"
#include "eth/resume_image.h"
#include "eth/resume_limits.h"
#include "eth/resume_record.h"

namespace {

using namespace fanfare;
using namespace fanfare::eth;

// Bytes of a recipe; zero behind its end.
class Recipe {
 public:
  explicit Recipe(std::string_view bytes) : left_(bytes) {}
  std::uint8_t next() {
    if (left_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(left_.front());
    left_.remove_prefix(1);
    return byte;
  }
  bool at_end() const { return left_.empty(); }
  // One of 16 heights on one of 16 branches.
  std::string cursor() {
    const std::uint8_t byte = next();
    Position position{.number = byte & 15U, .hash = {}, .logs_told = Position::kAll, .ancestors = {}};
    position.hash.bytes[0] = byte >> 4U;
    if ((byte & 1U) != 0) position.ancestors.emplace_back();
    return to_cursor(position);
  }

 private:
  std::string_view left_;
};

std::string made_of(Recipe recipe) {
  SharedSession session{.instance = recipe.next(), .is_closed = (recipe.next() & 1U) != 0, .image = {}};
  while (!recipe.at_end()) {
    ResumeImage::Subscription one;
    one.topic.low = recipe.next() & 3U;
    one.id.low = recipe.next();
    const std::uint8_t flags = recipe.next();
    one.is_incomplete = (flags & 1U) != 0;
    one.is_stale = (flags & 2U) != 0;
    one.from = recipe.cursor();
    for (unsigned count = recipe.next() % (kMayHaveMax + 1); count > 0; --count)
      one.may_have.push_back(recipe.cursor());
    session.image.subscriptions.push_back(std::move(one));
  }
  return *encode_session(session, SIZE_MAX);
}

// A copy that is shorter says less of what the client may have, and tells so.
void check_shortened(const SharedSession& session, std::size_t room) {
  const auto shortened = encode_session(session, room);
  if (!shortened) return;
  FANFARE_CHECK(shortened->size() <= room);
  const auto read = decode_session(*shortened);
  FANFARE_CHECK(read && read->image.subscriptions.size() == session.image.subscriptions.size());
  for (std::size_t i = 0; i < session.image.subscriptions.size(); ++i) {
    const ResumeImage::Subscription& whole = session.image.subscriptions[i];
    const ResumeImage::Subscription& part = read->image.subscriptions[i];
    FANFARE_CHECK(part.topic == whole.topic && part.id == whole.id && part.from == whole.from);
    FANFARE_CHECK(part.may_have.size() <= whole.may_have.size());
    FANFARE_CHECK(part.is_incomplete || (part.may_have == whole.may_have && !whole.is_incomplete));
  }
}

void check_continued(const ResumeImage& image, bool is_stale) {
  ResumeRecord record({.subscriptions_max = 100});
  if (!record.restore(image, is_stale)) {
    FANFARE_CHECK(image.subscriptions.size() > 100);
    return;
  }
  FANFARE_CHECK(record.size() == image.subscriptions.size());
  // The image of that is one of the same length, and does not change any more.
  const ResumeImage again = record.image();
  FANFARE_CHECK(again.subscriptions.size() == image.subscriptions.size());
  ResumeRecord same({.subscriptions_max = 100});
  FANFARE_CHECK(same.restore(again, false));
  FANFARE_CHECK(same.image() == again);
  const ResumeRecord::Owner owner = record.take();
  for (const ResumeImage::Subscription& one : image.subscriptions) {
    const auto claim = record.claim(owner, one.topic, one.id);
    FANFARE_CHECK(claim && claim->point);
    FANFARE_CHECK(!is_stale || claim->point->is_stale);
    FANFARE_CHECK(claim->point->may_have.size() <= kMayHaveMax + 1);
  }
  record.confirm_all(owner);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 8192) return 0;
  const std::size_t room = data[0] | ((data[1] & 0x7FU) << 8U);
  std::string bytes(as_text(Bytes(data + 2, size - 2)));
  if ((data[1] & 0x80U) != 0) bytes = made_of(Recipe(bytes));
  const auto session = decode_session(bytes);
  if (!session) return 0;
  const auto again = encode_session(*session, SIZE_MAX);
  FANFARE_CHECK(again && decode_session(*again) == session);
  FANFARE_CHECK(again->size() <= bytes.size());
  check_shortened(*session, room);
  check_continued(session->image, session->is_closed);
  return 0;
}
