#include "eth/feeds/feed.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "eth/replay.h"

namespace fanfare::eth {
namespace {

// A filter without a match in so many blocks is sent the chain's position, so that its cursor stays recent.
constexpr std::uint64_t kSilentBlocksMax = 64;

}  // namespace

std::string_view name_of(SubscriptionType type) {
  return feed_type(type).name;
}

void Feed::add(GroupIndex group, SubscriptionRequest& wanted) {
  on_added(group, wanted);
  groups_.insert(group);
}

void Feed::remove(GroupIndex group) {
  groups_.erase(group);
  on_removed(group);
}

bool Feed::step(std::size_t) {
  return true;
}

bool Feed::must_wait(ConnectionKey, std::string_view) {
  return false;
}

std::optional<Feed::Replayed> Feed::replay_added(GroupIndex, const HistoryEvent&, std::size_t&) {
  return std::nullopt;
}

std::optional<Feed::Replayed> Feed::replay_removed(GroupIndex, const HistoryEvent&, std::size_t&) {
  return std::nullopt;
}

void Feed::on_replayed(const Position&) {}

void Feed::on_first_head() {
  if (!has(Whom::with_cursors)) return;
  const std::string cursor = to_cursor(trail().position(Position::kAll));
  const std::string notice = live_notice(trail().number().value_or(0));
  publish(Whom::with_cursors, {.member = "notice", .json = notice, .cursor = cursor});
}

void Feed::lose(const std::string& why) {
  close_without_notices(why);
}

std::optional<Feed::Greeting> Feed::greeting(const FeedGroup& group) const {
  if (!group.has_cursors || !trail().number()) return std::nullopt;
  return Greeting{.is_notice = true,
                  .json = live_notice(*trail().number()),
                  .cursor = to_cursor(trail().position(Position::kAll))};
}

bool Feed::has(Whom whom) {
  return !groups_now(whom).empty();
}

std::vector<std::pair<GroupIndex, std::uint32_t>> Feed::groups_now(Whom whom) {
  std::vector<std::pair<GroupIndex, std::uint32_t>> found;
  for (const GroupIndex index : groups_) {
    const FeedGroup& group = loop_.group(index);
    if (whom == Whom::all || group.has_cursors == (whom == Whom::with_cursors)) {
      found.emplace_back(index, group.generation);
    }
  }
  return found;
}

std::size_t Feed::publish(Whom whom, const Notification& text) {
  std::size_t taken = 0;
  for (const auto& [group, generation] : groups_now(whom)) {
    // A delivery may have removed the group.
    if (loop_.group(group).generation == generation) taken += loop_.publish(group, text);
  }
  return taken;
}

void Feed::publish_missed(std::uint64_t first, std::uint64_t last, MissedBecause because) {
  const std::string notice = missed_notice(first, last, because);
  publish(Whom::with_cursors, {.member = "notice", .json = notice, .is_gap = true});
}

void Feed::publish_position_to_silent_groups(const Header& header, const Trail& at) {
  if (header.number % kSilentBlocksMax != 0 || !at.number()) return;
  const std::string cursor = to_cursor(at.position(Position::kAll));
  const std::string notice = live_notice(header.number);
  for (const auto& [index, generation] : groups_now(Whom::with_cursors)) {
    const FeedGroup& group = loop_.group(index);
    if (group.generation != generation || group.last_told + kSilentBlocksMax > header.number) continue;
    loop_.publish(index, {.member = "notice", .json = notice, .cursor = cursor});
  }
}

void Feed::close_without_notices(std::string why) {
  loop_.close(
      [this](GroupIndex index) {
        const FeedGroup& group = loop_.group(index);
        return group.type == type_ && !group.has_cursors && !group.ends_with_notice;
      },
      std::move(why));
}

std::uint64_t FeedSource::await_listening(Instant) {
  FANFARE_CHECK(false && "only a source whose row says not_listening is awaited");
  return 0;
}

}  // namespace fanfare::eth
