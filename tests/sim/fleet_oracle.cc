#include "fleet_oracle.h"

#include <algorithm>
#include <charconv>

#include "fleet_broker.h"
#include "fleet_world.h"
#include "relay/names.h"
#include "streams/record.h"

namespace fanfare::fleet {
namespace {

// What clients get of it.
std::string content_of(const SharedBytes& payload) {
  if (!streams::is_record(payload)) return std::string(as_text(payload.view()));
  const streams::Record record = streams::read_record(payload);
  switch (record.kind) {
    case streams::Record::Kind::value:
      return std::string(record.data);
    case streams::Record::Kind::interrupted:
      return "notice of interrupted";
    case streams::Record::Kind::restored:
      return "notice of restored";
    case streams::Record::Kind::paused:
      return "notice of paused";
  }
  return "";
}

// {"list":[{"id":7},...]}.
std::vector<std::uint64_t> entries_of(std::string_view value) {
  std::vector<std::uint64_t> ids;
  if (!value.starts_with(R"({"list")")) return ids;
  constexpr std::string_view kId = R"("id":)";
  for (std::size_t from = value.find(kId); from != std::string_view::npos; from = value.find(kId, from + 1)) {
    const std::string_view digits = value.substr(from + kId.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), ids.emplace_back());
  }
  return ids;
}

}  // namespace

std::string stream_of_topic(std::string_view topic) {
  return relay::stream_of(kRelayName, relay::token_of(topic).value());
}

void Oracle::stored(const std::string& stream, Position at, const SharedBytes& payload) {
  ++sums.stored;
  Event event{.text = content_of(payload), .payload = payload};
  const auto* const log = world().broker->find(stream);
  if (log->kept.size() > 1) event.before = log->at(log->last - 1).payload;
  if (streams::is_record(payload)) {
    event.entries = entries_of(event.text);
    check_entries(stream, at, event.entries);
  } else {
    check_once(stream, at, event.text);
  }
  Events& events = streams_[stream];
  if (events.contains(at)) {
    doubtful_.emplace(stream, at.epoch);
    ++sums.given_twice;
  }
  events.emplace(at, std::move(event));
}

void Oracle::check_once(const std::string& stream, Position at, const std::string& text) {
  for (const auto& [place, event] : streams_[stream]) {
    if (place.epoch == at.epoch && !event.is_lost && event.text == text)
      world().fail(
          line("stored twice: ", text, " of ", stream, " at ", text_of(place), " and ", text_of(at)));
  }
}

void Oracle::check_entries(const std::string& stream, Position at,
                           const std::vector<std::uint64_t>& entries) {
  for (const auto& [place, event] : streams_[stream]) {
    if (place.epoch != at.epoch || event.is_lost) continue;
    for (const std::uint64_t id : event.entries) {
      if (std::ranges::find(entries, id) != entries.end())
        world().fail(line("entry ", id, " twice in ", stream, ": at ", text_of(place), " and ", text_of(at)));
    }
  }
}

void Oracle::lost(const std::string& stream, std::uint64_t after, std::uint64_t until) {
  for (auto& [place, event] : streams_[stream]) {
    if (place.offset <= after || place.offset > until || event.is_lost) continue;
    event.is_lost = true;
    ++sums.lost;
  }
}

// The one before may have been dropped when the reader came back: then nobody can tell.
void Oracle::delivered(const std::string& topic, Position at, const SharedBytes& payload,
                       const SharedBytes& before) {
  const std::string stream = stream_of_topic(topic);
  const auto [from, to] = streams_[stream].equal_range(at);
  const auto found = std::find_if(
      from, to, [&](const auto& each) { return each.second.payload.view().data() == payload.view().data(); });
  if (found == to)
    return world().fail(line("a relay got what was never stored at ", text_of(at), " of ", topic));
  if (found->second.before.view().data() == before.view().data()) return;
  const auto* const log = world().broker->find(stream);
  if (log->first >= at.offset) {
    ++sums.given_twice_unseen;
    return;
  }
  world().fail(line("a relay passes ", text_of(at), " of ", topic,
                    " on behind an event that the broker had lost, and had replaced"));
}

bool Oracle::is_doubtful(const std::string& topic, std::uint64_t epoch) const {
  const std::string stream = stream_of_topic(topic);
  if (doubtful_.contains({stream, epoch})) return true;
  // Lost, and the epoch goes on.
  const auto found = streams_.find(stream);
  return found != streams_.end() && end_of(topic).epoch == epoch &&
         std::ranges::any_of(found->second, [&](const auto& each) {
           return each.second.is_lost && each.first.epoch == epoch;
         });
}

void Oracle::seen(const std::string& topic, Position at, const std::string& text) {
  ++sums.seen;
  const auto [first, is_new] = seen_[topic].emplace(at, text);
  if (is_doubtful(topic, at.epoch)) return;
  if (!is_new && first->second != text)
    return world().fail(line("two clients got different events of ", topic, " at ", text_of(at), ": ",
                             first->second, " and ", text));
  const auto [from, to] = streams_[stream_of_topic(topic)].equal_range(at);
  if (std::none_of(from, to, [&](const auto& each) { return each.second.text == text; }))
    world().fail(line("a client got what was never stored: ", text, " of ", topic, " at ", text_of(at)));
}

bool Oracle::is_kept(const std::string& stream, Position at) const {
  const auto* const kept = world().broker->find(stream);
  // Those of an epoch that has ended are not read any more, even if the broker has them.
  if (kept == nullptr || kept->epoch() != at.epoch || at.offset < kept->first || at.offset > kept->last)
    return false;
  return relay::epoch_of(kept->at(at.offset).subject) == at.epoch;
}

void Oracle::missed(const std::string& topic, const Missed& missed, bool may_drop) {
  ++sums.missed;
  if (may_drop) return;
  const std::string stream = stream_of_topic(topic);
  // Behind the end: what was there must be lost.
  const bool is_behind_end =
      missed.after.epoch == missed.until.epoch && missed.after.offset > missed.until.offset;
  if (is_behind_end && is_kept(stream, missed.after) && !is_doubtful(topic, missed.after.epoch))
    return world().fail(line("a client is told that ", text_of(missed.after), " of ", topic,
                             " is lost, which the broker has"));
  if (!missed.is_counted()) return;
  for (std::uint64_t offset = missed.after.offset + 1; offset <= missed.until.offset; ++offset) {
    const Position at{.epoch = missed.until.epoch, .offset = offset};
    if (is_kept(stream, at))
      return world().fail(
          line("a client is told that it misses ", text_of(at), " of ", topic, ", which the broker has"));
  }
}

void Oracle::accepted(const std::string& text, std::uint64_t process) {
  waiting_[text] = process;
}

void Oracle::receipt(const std::string& topic, const std::string& text, std::optional<Position> at) {
  ++sums.receipts;
  if (waiting_.erase(text) == 0) return world().fail(line("a second receipt: ", text));
  if (!at) return;
  const Events& events = streams_[stream_of_topic(topic)];
  const auto [from, to] = events.equal_range(*at);
  if (std::any_of(from, to, [&](const auto& each) { return each.second.text == text; })) return;
  world().fail(line("a receipt of ", text, " names ", text_of(*at), " of ", topic, ", where it is not"));
}

void Oracle::ended(std::uint64_t process) {
  std::erase_if(waiting_, [&](const auto& each) { return each.second == process; });
}

Position Oracle::end_of(const std::string& topic) const {
  const auto* const stream = world().broker->find(stream_of_topic(topic));
  return stream == nullptr ? Position{} : Position{.epoch = stream->epoch(), .offset = stream->last};
}

void Oracle::check_end() const {
  if (!waiting_.empty()) world().fail(line("no receipt of ", waiting_.begin()->first));
  // Where no event was lost, there is one epoch, and the entries have no holes.
  for (const auto& [stream, events] : streams_) {
    std::set<std::uint64_t> ids;
    for (const auto& [place, event] : events) ids.insert(event.entries.begin(), event.entries.end());
    if (!ids.empty() && sums.lost == 0 && *ids.rbegin() - *ids.begin() + 1 != ids.size())
      world().fail(line("entries are missing in ", stream));
  }
}

}  // namespace fanfare::fleet
