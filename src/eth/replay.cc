#include "eth/replay.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "jsonrpc/response.h"

namespace fanfare::eth {
namespace {

std::string notice(std::string_view type, std::uint64_t first, std::uint64_t last) {
  return R"({"type":")" + std::string(type) + R"(","fromBlock":")" + to_quantity(first) + R"(","toBlock":")" +
         to_quantity(last) + '"';
}

// Where a reader at `at` is once it has only the first logs of this block of its branch.
Position lowered_to(const Position& at, const Header& header, std::uint32_t logs_told) {
  Position lower{.number = header.number, .hash = header.hash, .logs_told = logs_told, .ancestors = {}};
  if (at.hash == header.hash) lower.logs_told = std::min(at.logs_told, logs_told);
  const auto down =
      static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(at.number - header.number, at.ancestors.size()));
  lower.ancestors.assign(at.ancestors.begin() + down, at.ancestors.end());
  if (lower.ancestors.empty()) lower.ancestors = {prefix_of(header.parent_hash)};
  return lower;
}

}  // namespace

std::string live_notice(std::uint64_t block) {
  return R"({"type":"live","block":")" + to_quantity(block) + "\"}";
}

std::string missed_notice(std::uint64_t first, std::uint64_t last, MissedBecause because) {
  return notice("missed", first, last) + R"(,"reason":")" + std::string(name_of(because)) + "\"}";
}

std::string ended_notice(std::string_view message) {
  std::string json = R"({"type":"ended","reason":"missed","message":)";
  jsonrpc::append_string(json, message);
  return json + '}';
}

std::string reorged_notice(std::uint64_t first, std::uint64_t last) {
  return notice("reorged", first, last) + '}';
}

void Replay::start(HistoryBatchPtr batch) {
  FANFARE_CHECK(batch_ == nullptr);
  batch_ = std::move(batch);
  event_ = 0;
  is_begun_ = false;
  is_aside_over_ = false;
  step_ = 0;
}

std::optional<Replay::Message> Replay::next(Feed& feed, GroupIndex group) {
  if (batch_ == nullptr) return std::nullopt;
  for (; event_ < batch_->events.size(); ++event_, step_ = 0) {
    const HistoryEvent& event = batch_->events[event_];
    const bool moves = event.header != nullptr && !event.is_aside;
    if (!event.is_aside) leave_aside();
    if (!std::exchange(is_begun_, true) && moves) trail_.move_to(*event.header);
    if (auto message = next_of(event, feed, group)) {
      if (batch_->replaces && !message->gap && !may_have_.empty()) {
        may_have_.clear();
        has_settled_ = true;
      }
      return message;
    }
    is_begun_ = false;
    if (event.kind == HistoryEvent::Kind::removed && moves) trail_.move_to_parent_of(*event.header);
  }
  leave_aside();
  position_ = batch_->reached;
  has_settled_ = has_settled_ || batch_->ahead.size() < may_have_.size() || removed_since_;
  may_have_ = batch_->ahead;
  if (removed_since_) removed_since_ = batch_->removals;
  trail_ = Trail(position_);
  if (std::exchange(batch_, nullptr)->live) {
    return Message{.is_notice = true, .json = live_notice(position_.number), .after = position_};
  }
  return std::nullopt;
}

std::optional<Replay::Message> Replay::next_of(const HistoryEvent& event, Feed& feed, GroupIndex group) {
  switch (event.kind) {
    case HistoryEvent::Kind::removed: {
      auto replayed = feed.replay_removed(group, event, step_);
      if (replayed && event.is_aside) return aside_message(event, *std::move(replayed));
      auto message = message_of(std::move(replayed));
      if (message) message->retracts = true;
      return message;
    }
    case HistoryEvent::Kind::rest:
    case HistoryEvent::Kind::added:
      return message_of(feed.replay_added(group, event, step_));
    case HistoryEvent::Kind::missed:
      if (step_++ > 0) return std::nullopt;
      return gap_message(event,
                         batch_->events.size() == 1 ? batch_->reached : trail_.position(Position::kAll));
    case HistoryEvent::Kind::reorged:
      break;
  }
  if (step_++ > 0) return std::nullopt;
  return gap_message(event, event.is_aside ? position_ : trail_.position(Position::kAll));
}

Replay::Message Replay::aside_message(const HistoryEvent& event, Feed::Replayed replayed) {
  Message message{.json = std::move(replayed.json), .after = position_, .retracts = true, .is_aside = true};
  for (const std::size_t which : event.of) {
    Position lower = lowered_to(may_have_[which], *event.header, replayed.logs_told);
    if (lower == may_have_[which]) continue;
    message.lowered.push_back({.from = may_have_[which], .to = lower});
    may_have_[which] = std::move(lower);
  }
  return message;
}

// What the client may have of dead branches is retracted: only the part of them that is part of the chain is left.
void Replay::leave_aside() {
  if (std::exchange(is_aside_over_, true) || batch_->lowered.size() != may_have_.size()) return;
  for (std::size_t which = 0; which < may_have_.size(); ++which) {
    const Position& lower = batch_->lowered[which];
    if (lower == may_have_[which]) continue;
    lowered_.push_back({.from = may_have_[which], .to = lower});
    may_have_[which] = lower;
  }
}

Replay::Message Replay::gap_message(const HistoryEvent& event, const Position& after) {
  is_incomplete_ = true;
  const bool is_reorg = event.kind == HistoryEvent::Kind::reorged;
  return {
      .is_notice = true,
      .json = is_reorg ? reorged_notice(event.first, event.last)
                       : missed_notice(event.first, event.last, event.because),
      .after = after,
      .gap = Gap{.first = event.first, .last = event.last, .is_reorg = is_reorg, .because = event.because}};
}

std::optional<Replay::Message> Replay::message_of(std::optional<Feed::Replayed> replayed) const {
  if (!replayed) return std::nullopt;
  return Message{.json = std::move(replayed->json), .after = trail_.position(replayed->logs_told)};
}

}  // namespace fanfare::eth
