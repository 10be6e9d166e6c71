#include "eth/replay.h"

#include <utility>

#include "base/check.h"
#include "jsonrpc/response.h"

namespace fanfare::eth {
namespace {

std::string notice(std::string_view type, std::uint64_t first, std::uint64_t last) {
  return R"({"type":")" + std::string(type) + R"(","fromBlock":")" + to_quantity(first) + R"(","toBlock":")" +
         to_quantity(last) + '"';
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
  step_ = 0;
}

std::optional<Replay::Message> Replay::next(Feed& feed, GroupIndex group) {
  if (batch_ == nullptr) return std::nullopt;
  for (; event_ < batch_->events.size(); ++event_, step_ = 0) {
    const HistoryEvent& event = batch_->events[event_];
    if (!std::exchange(is_begun_, true) && event.header != nullptr) trail_.move_to(*event.header);
    if (auto message = next_of(event, feed, group)) return message;
    is_begun_ = false;
    if (event.kind == HistoryEvent::Kind::removed) trail_.move_to_parent_of(*event.header);
  }
  position_ = batch_->reached;
  trail_ = Trail(position_);
  if (std::exchange(batch_, nullptr)->live) {
    return Message{.is_notice = true, .json = live_notice(position_.number), .after = position_};
  }
  return std::nullopt;
}

std::optional<Replay::Message> Replay::next_of(const HistoryEvent& event, Feed& feed, GroupIndex group) {
  switch (event.kind) {
    case HistoryEvent::Kind::removed:
      return message_of(feed.replay_removed(group, event, step_));
    case HistoryEvent::Kind::rest:
    case HistoryEvent::Kind::added:
      return message_of(feed.replay_added(group, event, step_));
    case HistoryEvent::Kind::missed:
      if (step_++ > 0) return std::nullopt;
      is_incomplete_ = true;
      return Message{.is_notice = true,
                     .json = missed_notice(event.first, event.last, event.because),
                     .after = batch_->events.size() == 1 ? batch_->reached : trail_.position(Position::kAll)};
    case HistoryEvent::Kind::reorged:
      break;
  }
  if (step_++ > 0) return std::nullopt;
  is_incomplete_ = true;
  return Message{.is_notice = true,
                 .json = reorged_notice(event.first, event.last),
                 .after = trail_.position(Position::kAll)};
}

std::optional<Replay::Message> Replay::message_of(std::optional<Feed::Replayed> replayed) const {
  if (!replayed) return std::nullopt;
  return Message{.json = std::move(replayed->json), .after = trail_.position(replayed->logs_told)};
}

}  // namespace fanfare::eth
