#include "relay/past_reads.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace fanfare::relay {

void PastReads::add(std::string topic, Position after, std::size_t bytes_max, pubsub::Relay::Read done,
                    Instant now) {
  Read read{.after = after, .bytes_max = bytes_max, .done = std::move(done)};
  read.topic = topic;
  waiting_[std::move(topic)].push_back(std::move(read));
  ++waiting_count_;
  begin_waiting(now);
}

std::uint64_t PastReads::first_behind(const std::string& topic, Position after) const {
  std::uint64_t first = after.offset + 1;
  for (const Hole& hole : holes_) {
    const bool is_in = hole.topic == topic && hole.begin.epoch == after.epoch && hole.begin.offset <= first;
    if (is_in && first < hole.next) first = hole.next;
  }
  return first;
}

PastReads::Waiting::iterator PastReads::next_waiting() {
  auto at = waiting_.upper_bound(served_);
  for (std::size_t i = 0; i < waiting_.size(); ++i, ++at) {
    if (at == waiting_.end()) at = waiting_.begin();
    const auto begun =
        std::ranges::count_if(reads_, [&](const auto& each) { return each.second.topic == at->first; });
    if (static_cast<std::size_t>(begun) < kAtOnceOfTopicMax) return at;
  }
  return waiting_.end();
}

void PastReads::begin_waiting(Instant now) {
  while (reads_.size() < kAtOnceMax) {
    const auto from = next_waiting();
    if (from == waiting_.end()) return;
    Read& read = reads_.emplace(++last_, std::move(from->second.front())).first->second;
    from->second.pop_front();
    --waiting_count_;
    served_ = from->first;
    if (from->second.empty()) waiting_.erase(from);
    read.first = first_behind(read.topic, read.after);
    ask(last_, read, now);
  }
}

// The first one alone, and then as many as fit if they are as long. Behind a hole as many as are known to be missing: so a small hole
// costs few messages, and a large one few turns.
std::uint64_t PastReads::ask_to(const Read& read) {
  if (read.hole_begin) {
    const std::uint64_t missing = read.first - *read.hole_begin;
    return std::min(read.first + std::min<std::uint64_t>(missing, kMessagesMax) - 1, read.last);
  }
  if (read.got.empty()) return read.first;
  const std::size_t size = std::max<std::size_t>(read.got.begin()->second.payload.size(), 1);
  return read.first + std::min(read.bytes_max / size, kMessagesMax - 1);
}

void PastReads::ask(std::uint64_t number, Read& read, Instant now) {
  const std::uint64_t to = ask_to(read);
  read.due = saturating_add(now, kAnswerWait);
  for (std::uint64_t sequence = std::max(read.asked_to + 1, read.first); sequence <= to; ++sequence) {
    if (!broker_.ask(read.topic, sequence, std::to_string(number) + "." + std::to_string(sequence))) {
      read.due = saturating_add(now, kRetryAfter);
      return;
    }
    read.asked_to = sequence;
  }
}

void PastReads::answered(std::string_view id, std::optional<pubsub::RelayedEvent> message, Instant now) {
  std::uint64_t number = 0;
  std::uint64_t sequence = 0;
  const char* const end = id.data() + id.size();
  const auto [dot, failed] = std::from_chars(id.data(), end, number);
  if (failed != std::errc() || dot == end || std::from_chars(dot + 1, end, sequence).ec != std::errc())
    return;
  const auto found = reads_.find(number);
  if (found == reads_.end() || sequence < found->second.first) return;
  Read& read = found->second;
  // Of another epoch: the topic has begun again, and nothing follows the position.
  const bool is_there = message && message->position.epoch == read.after.epoch;
  if (read.hole_begin) {
    read.looked_at.insert(sequence);
    // Only the first one is kept: the size of the others is not known before they come.
    if (is_there && (read.got.empty() || sequence < read.got.begin()->first)) {
      read.got.clear();
      read.got.emplace(sequence, *std::move(message));
    }
  } else if (is_there) {
    read.got.emplace(sequence, *std::move(message));
  } else {
    read.end = std::min(read.end, sequence);
  }
  if (!advance(number, read, now)) return;
  Read ended = std::move(read);
  reads_.erase(found);
  finish(ended);
  begin_waiting(now);
}

bool PastReads::advance(std::uint64_t number, Read& read, Instant now) {
  if (read.hole_begin && !look_behind_hole(number, read, now)) return false;
  if (read.hole_begin) return true;
  if (read.end == read.first) return !retry_first(read, now).value_or(true);
  std::uint64_t next = read.first;
  std::size_t bytes = 0;
  while (read.got.contains(next) && bytes < read.bytes_max) bytes += read.got.at(next++).payload.size();
  if (next == read.end || bytes >= read.bytes_max || next - read.first >= kMessagesMax) return true;
  if (next <= read.asked_to) return false;  // answers are under way
  ask(number, read, now);
  return read.asked_to < next;
}

bool PastReads::look_behind_hole(std::uint64_t number, Read& read, Instant now) {
  const std::uint64_t to = ask_to(read);
  if (read.looked_at.size() < to - read.first + 1) return false;  // answers are under way
  if (read.got.empty()) {
    if (to >= read.last) return true;
    forget_answers(read);
    read.first = to + 1;
    ask(number, read, now);
    return false;
  }
  read.first = read.asked_to = read.got.begin()->first;
  const Position begin{.epoch = read.after.epoch, .offset = *std::exchange(read.hole_begin, {})};
  remember({.topic = read.topic, .begin = begin, .next = read.first});
  read.looked_at.clear();
  read.retries = 0;
  return true;
}

// Several reads may have found it at the same time.
void PastReads::remember(Hole hole) {
  const Position before{.epoch = hole.begin.epoch, .offset = hole.begin.offset - 1};
  if (first_behind(hole.topic, before) >= hole.next) return;
  if (holes_.size() == kHolesMax) holes_.pop_front();
  holes_.push_back(std::move(hole));
}

void PastReads::forget_answers(Read& read) {
  read.end = UINT64_MAX;
  read.got.clear();
  read.looked_at.clear();
  read.asked_to = 0;
}

// The stream begins later, has ended, has it all the same, or has a hole there. Empty: nobody knows.
std::optional<bool> PastReads::retry_first(Read& read, Instant now) {
  forget_answers(read);
  read.due = saturating_add(now, kRetryAfter);
  const auto state = broker_.state_of(read.topic);
  if (!state) return std::nullopt;
  if (state->epoch != read.after.epoch || state->last < read.first) return false;
  if (state->first > read.first) {
    read.first = state->first;
    read.hole_begin.reset();
    read.due = now;
    return read.first <= state->last;
  }
  if (++read.retries <= kRetriesMax) return true;
  if (read.hole_begin || state->last == read.first) return false;
  read.hole_begin = read.first++;
  read.last = state->last;
  read.retries = 0;
  read.due = now;
  return true;
}

void PastReads::finish(Read& read) {
  std::vector<pubsub::RelayedEvent> events;
  std::size_t bytes = 0;
  for (auto& [sequence, event] : read.got) {
    if (sequence >= read.end || sequence != read.first + events.size() || bytes >= read.bytes_max) break;
    bytes += event.payload.size();
    events.push_back(std::move(event));
  }
  read.done(std::move(events));
}

void PastReads::forget_asked() {
  for (auto& [number, read] : reads_) {
    forget_answers(read);
    read.due = Instant{};
  }
}

// One that has no answer at all may be of a stream that does not exist.
void PastReads::tick(Instant now) {
  for (auto at = reads_.begin(); at != reads_.end();) {
    auto& [number, read] = *at;
    if (now < read.due) {
      ++at;
      continue;
    }
    if (read.asked_to == 0) {
      ask(number, read, now);
      ++at;
      continue;
    }
    const auto goes_on = retry_first(read, now);
    if (!goes_on) return;  // which may have taken seconds
    if (*goes_on) {
      ++at;
      continue;
    }
    Read ended = std::move(read);
    at = reads_.erase(at);
    finish(ended);
  }
  begin_waiting(now);
}

void PastReads::clear() {
  reads_.clear();
  waiting_.clear();
  waiting_count_ = 0;
}

}  // namespace fanfare::relay
