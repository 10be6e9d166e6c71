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
  step_ = 0;
}

std::optional<Replay::Message> Replay::next(const Filters& filters) {
  if (batch_ == nullptr) return std::nullopt;
  for (; event_ < batch_->events.size(); ++event_, step_ = 0) {
    if (auto message = next_of(batch_->events[event_], filters)) return message;
  }
  position_ = batch_->reached;
  trail_ = Trail(position_);
  if (std::exchange(batch_, nullptr)->live) {
    return Message{.is_notice = true, .json = live_notice(position_.number), .after = position_};
  }
  return std::nullopt;
}

std::optional<Replay::Message> Replay::next_of(const HistoryEvent& event, const Filters& filters) {
  switch (event.kind) {
    case HistoryEvent::Kind::removed:
      return next_removed(event, filters.logs);
    case HistoryEvent::Kind::rest:
    case HistoryEvent::Kind::added:
      return next_added(event, filters);
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

// For a removed block: retracts what was sent of it, the last log first.
std::optional<Replay::Message> Replay::next_removed(const HistoryEvent& event, const LogFilter& filter) {
  if (step_ == 0) trail_.move_to(*event.header);
  const std::size_t told =
      event.logs == nullptr ? 0 : std::min<std::size_t>(event.logs_told, event.logs->entries.size());
  while (step_ < told) {
    const std::size_t index = told - 1 - step_++;
    const BlockLogs::Entry& entry = event.logs->entries[index];
    if (!filter.matches(entry.key)) continue;
    Message message{.json = {}, .after = trail_.position(static_cast<std::uint32_t>(index))};
    BlockLogs::append_json(entry, true, message.json);
    return message;
  }
  trail_.move_to_parent_of(*event.header);
  return std::nullopt;
}

std::optional<Replay::Message> Replay::next_added(const HistoryEvent& event, const Filters& filters) {
  if (step_ == 0) {
    trail_.move_to(*event.header);
    step_ = event.kind == HistoryEvent::Kind::rest ? event.logs_told : 0;
  }
  if (type_ == SubscriptionType::new_heads) {
    if (step_++ > 0) return std::nullopt;
    return Message{.json = event.header->json, .after = trail_.position(0)};
  }
  if (type_ == SubscriptionType::transaction_receipts) {
    const bool is_done =
        event.receipts == nullptr || std::exchange(step_, ~std::size_t{0}) == ~std::size_t{0};
    std::string json = is_done ? "" : matching_receipts(*event.receipts, filters.receipts);
    if (json.empty()) return std::nullopt;
    return Message{.json = std::move(json), .after = trail_.position(Position::kAll)};
  }
  while (event.logs != nullptr && step_ < event.logs->entries.size()) {
    const BlockLogs::Entry& entry = event.logs->entries[step_++];
    if (!filters.logs.matches(entry.key)) continue;
    Message message{.json = {}, .after = trail_.position(static_cast<std::uint32_t>(step_))};
    BlockLogs::append_json(entry, false, message.json);
    return message;
  }
  return std::nullopt;
}

}  // namespace fanfare::eth
