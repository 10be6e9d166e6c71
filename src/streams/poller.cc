#include "streams/poller.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "jsonrpc/scan.h"
#include "jsonrpc/value.h"

namespace fanfare::streams {
namespace {

// A node's answers may nest deeper than values: fields pick from them.
constexpr std::uint32_t kResultDepthMax = 64;

// At a shared stream whose broker has to answer before a poll is worth its while.
constexpr Duration kLookEvery = std::chrono::milliseconds(20);

std::int64_t seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string problem_with_result(std::string_view text) {
  if (!jsonrpc::is_valid_json(text, jsonrpc::kAnswerDepthMax)) return "the node's answer is not JSON";
  return joined({"the node's answer nests more than ", std::to_string(kResultDepthMax), " deep"});
}

}  // namespace

struct Poller::Poll {
  Instant began;
  std::int64_t seconds = 0;
  std::size_t open = 0;
  std::vector<std::optional<Json>> results;
  std::string problem;  // the first one
};

Poller::Poller(const StreamSpec& spec, Stream& stream, Node& node, Clock& clock,
               std::function<void()> rescheduled, PollerMemory memory)
    : spec_(spec),
      stream_(stream),
      node_(node),
      clock_(clock),
      rescheduled_(std::move(rescheduled)),
      mapping_(spec),
      memory_(std::move(memory)) {
  if (spec.new_only && !memory_.new_entries) memory_.new_entries.emplace(*spec.new_only);
}

Instant Poller::next_due() const {
  return is_active_ && poll_ == nullptr ? due_ : Instant::max();
}

// Whoever subscribes and leaves again does not make polls more frequent: `due_` still counts.
void Poller::wake() {
  is_active_ = true;
  advance();
}

void Poller::advance() {
  if (clock_.now() < next_due()) return;
  if (stream_.watchers() == 0) {
    is_active_ = false;
    return;
  }
  if (!stream_.is_ready()) {
    due_ = saturating_add(clock_.now(), std::min(spec_.interval, kLookEvery));
    return;
  }
  begin();
}

void Poller::interval_changed() {
  due_ = std::min(due_, saturating_add(clock_.now(), spec_.interval));
}

void Poller::begin() {
  const Instant now = clock_.now();
  due_ = saturating_add(now, spec_.interval);
  poll_ = std::make_shared<Poll>();
  poll_->began = now;
  poll_->seconds = seconds_of(clock_.wall_now());
  poll_->open = spec_.calls.size();
  poll_->results.resize(spec_.calls.size());
  const std::weak_ptr<Poll> weak = poll_;
  for (std::size_t i = 0; i < spec_.calls.size(); ++i) {
    // The poll belongs to the poller, so it is gone if the poller is.
    node_.call(spec_.calls[i], [this, weak, i](Node::Result result) {
      const auto poll = weak.lock();
      if (poll == nullptr) return;
      if (result) {
        poll->results[i] = parse_json(*result, kResultDepthMax);
        if (!poll->results[i] && poll->problem.empty()) poll->problem = problem_with_result(*result);
      } else if (poll->problem.empty()) {
        poll->problem = std::move(result.error());
      }
      if (--poll->open == 0) finish(*poll);
    });
  }
}

Json Poller::document_of(const Poll& poll) const {
  Json document = Json::object();
  for (std::size_t i = 0; i < spec_.calls.size(); ++i) {
    document.members.push_back({.name = spec_.calls[i].name, .value = *poll.results[i]});
  }
  const std::chrono::duration<double, std::milli> latency = clock_.now() - poll.began;
  Json about = Json::object();
  about.set("time", Json::of(static_cast<std::uint64_t>(poll.seconds)));
  about.set("latency_ms", Json::of(latency.count()));
  document.members.push_back({.name = "poll", .value = std::move(about)});
  return document;
}

void Poller::finish(Poll& poll) {
  const std::shared_ptr<Poll> ended = std::move(poll_);
  if (!stream_.begin_turn()) {
    if (rescheduled_) rescheduled_();
    return;
  }
  learn();
  if (poll.problem.empty()) {
    auto value = mapping_.map(document_of(poll), poll.began);
    poll.problem = value ? publish(*std::move(value), poll.seconds)
                         : joined({"the node's answer cannot be used (", value.error(), ")"});
  }
  if (poll.problem.empty()) {
    stream_.counters.polls.fetch_add(1, std::memory_order_relaxed);
  } else {
    stream_.counters.polls_failed.fetch_add(1, std::memory_order_relaxed);
    stream_.interrupt(poll.problem, poll.seconds);
  }
  if (rescheduled_) rescheduled_();
}

// Of a shared stream, only what its events say counts: others may have published meanwhile, and what this poller published may
// have been refused.
void Poller::learn() {
  auto known = stream_.take_known();
  if (!known) return;
  owes_value_ = known->owes_value;
  if (memory_.new_entries) {
    for (const Json& value : known->new_values) memory_.new_entries->note(value);
  }
  if (spec_.on_change) memory_.last = std::move(known->last);
  note_polled_until(known->seconds);
}

void Poller::note_polled_until(std::int64_t seconds) {
  if (tells_of_pauses() && seconds > memory_.last_seconds.value_or(0)) memory_.last_seconds = seconds;
}

// After an interruption or a pause a value follows, even an equal one or one without entries, so that subscribers know where
// they stand and notices never push the last value out of the history. A stream of new entries begins with the first
// poll, even if there are none.
std::string Poller::publish(Json value, std::int64_t seconds) {
  std::size_t new_entries = 0;
  if (memory_.new_entries) {
    new_entries = memory_.new_entries->keep(value);
    mapping_.count_sizes(value);
  }
  if (auto problem = stream_.problem_with_size(value.write().size()); !problem.empty()) return problem;
  owes_value_ = owes_value_ || stream_.is_interrupted();
  stream_.restore(seconds);
  if (tells_of_pauses()) note_pause(seconds);
  // What the broker has refused may be no news any more, and only another event shows that it stores them again.
  if (!owes_value_ && !stream_.is_degraded() && !is_news(value, new_entries)) {
    note_polled_until(seconds);
    return {};
  }
  // If the hub is at a limit, the next poll offers what is new again.
  if (stream_.publish(value, seconds) != Stream::Published::yes) return {};
  owes_value_ = false;
  // The entries of a shared stream count as seen when they come back.
  if (memory_.new_entries && !stream_.is_shared()) memory_.new_entries->commit();
  if (spec_.on_change) memory_.last = std::move(value);
  return {};
}

bool Poller::is_news(const Json& value, std::size_t new_entries) const {
  if (memory_.new_entries && new_entries == 0 && stream_.has_published()) return false;
  return !spec_.on_change || !memory_.last || *memory_.last != value;
}

// Nobody watched, a poll took long, or the process was stopped. If the hub is at a limit, the next poll says it.
void Poller::note_pause(std::int64_t seconds) {
  const std::chrono::duration<double> longest = spec_.interval * kPauseIntervals + std::chrono::seconds(1);
  if (memory_.last_seconds && !owes_value_ &&
      static_cast<double>(seconds - *memory_.last_seconds) > longest.count()) {
    if (!stream_.pause(*memory_.last_seconds, seconds)) return;
    owes_value_ = true;
  }
  // What is published to a shared stream may be refused, and the pause with it.
  if (!stream_.is_shared()) memory_.last_seconds = seconds;
}

}  // namespace fanfare::streams
