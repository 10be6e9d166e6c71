#include "eth/block_fetches.h"

#include <algorithm>
#include <memory>

#include "eth/history.h"

namespace fanfare::eth {

void BlockFetches::begin_round(Instant now) {
  ++rounds_;
  std::erase_if(given_up_, [now](const auto& one) { return one.second <= now; });
}

void BlockFetches::end_round() {
  std::erase_if(fetches_, [this](const auto& one) {
    return one.second.call_id == 0 && one.second.wanted_in != rounds_;
  });
}

Have BlockFetches::want(const BlockPart& part, std::uint32_t attempts_max, Instant now) {
  if (given_up_.contains(part)) return Have::never;
  const auto found = fetches_.find(part);
  if (found == fetches_.end() && in_flight_ >= options_.calls_in_flight_max) return Have::not_yet;
  Fetch& fetch = found == fetches_.end() ? fetches_[part] : found->second;
  fetch.wanted_in = rounds_;
  fetch.attempts_max = attempts_max;
  if (fetch.call_id == 0 && fetch.due <= now && in_flight_ < options_.calls_in_flight_max) {
    ask(part, fetch, now);
  }
  return Have::not_yet;
}

void BlockFetches::ask(const BlockPart& part, Fetch& fetch, Instant now) {
  fetch.call_id = call_ids_.next();
  fetch.due = now + options_.call_timeout;
  ++in_flight_;
  ++calls_made_;
  const KnownChain::Block* const block = chain_.find(part.hash);
  jsonrpc::UpstreamCall call{.id = fetch.call_id,
                             .attempt = fetch.attempts,
                             .block = block == nullptr ? part.number : block->header->number};
  switch (part.what) {
    case BlockPart::What::header_by_number:
      call.method = "eth_getBlockByNumber";
      call.params_json = "[\"" + to_quantity(part.number) + "\",false]";
      break;
    case BlockPart::What::header_by_hash:
      call.method = "eth_getBlockByHash";
      call.params_json = "[\"" + to_hex(part.hash) + "\",false]";
      break;
    case BlockPart::What::logs: {
      Header unknown;
      unknown.hash = part.hash;
      fetch.strategy =
          block == nullptr ? LogsRequest::Strategy::by_hash : LogsRequest::strategy_after({}, fetch.attempts);
      LogsRequest question = LogsRequest::about(block == nullptr ? unknown : *block->header, fetch.strategy);
      call.method = question.method;
      call.params_json = std::move(question.params_json);
      break;
    }
    case BlockPart::What::receipts:
      call.method = "eth_getBlockReceipts";
      call.params_json = "[\"" + to_hex(part.hash) + "\"]";
      break;
  }
  calls_.push_back(std::move(call));
}

bool BlockFetches::on_reply(std::uint64_t call_id, const jsonrpc::CallResult& result, Instant now) {
  const auto found =
      std::ranges::find_if(fetches_, [call_id](const auto& one) { return one.second.call_id == call_id; });
  if (call_id == 0 || found == fetches_.end()) return false;
  Fetch& fetch = found->second;
  fetch.call_id = 0;
  --in_flight_;
  const bool was_answered = result || result.error().kind == jsonrpc::CallFailure::Kind::rejected;
  if (result && take(found->first, fetch.strategy, *result)) {
    ++fetched_;
    fetches_.erase(found);
  } else if (was_answered && ++fetch.attempts >= fetch.attempts_max) {
    given_up_.insert_or_assign(found->first, now + options_.given_up_for);
    fetches_.erase(found);
  } else {
    retry_later(fetch, now);
  }
  return true;
}

bool BlockFetches::take(const BlockPart& part, LogsRequest::Strategy strategy, std::string_view json) {
  if (part.what == BlockPart::What::header_by_number || part.what == BlockPart::What::header_by_hash) {
    return take_header(part, json);
  }
  KnownChain::Block* const block = chain_.find(part.hash);
  if (block == nullptr) return true;  // removed meanwhile, and no longer needed
  if (part.what == BlockPart::What::receipts) {
    auto receipts = parse_block_receipts(json, part.hash);
    if (receipts) block->receipts = std::make_shared<const BlockReceipts>(std::move(*receipts));
    return receipts.has_value();
  }
  auto answer = LogsRequest::read(json, strategy, *block->header);
  if (!answer || LogsRequest::is_doubtful(*answer, strategy, *block->header, bloom_trusted_)) return false;
  block->logs = std::make_shared<const BlockLogs>(std::move(answer->logs));
  return true;
}

bool BlockFetches::take_header(const BlockPart& part, std::string_view json) {
  auto parsed = parse_header(json);
  if (!parsed) return false;
  auto header = std::make_shared<const Header>(std::move(*parsed));
  if (part.what == BlockPart::What::header_by_number) {
    return header->number == part.number && chain_.add_older(std::move(header));
  }
  if (header->hash != part.hash) return false;
  chain_.remember_removed({.header = std::move(header), .logs = nullptr});
  return true;
}

void BlockFetches::retry_later(Fetch& fetch, Instant now) {
  if (!fetch.backoff) fetch.backoff.emplace(options_.retry_min, options_.retry_max);
  fetch.due = now + fetch.backoff->next(random_);
}

void BlockFetches::on_timer(Instant now) {
  for (auto& [key, fetch] : fetches_) {
    if (fetch.call_id == 0 || now < fetch.due) continue;
    fetch.call_id = 0;  // an answer that still comes is ignored
    --in_flight_;
    retry_later(fetch, now);
  }
}

std::optional<Instant> BlockFetches::next_timer() const {
  std::optional<Instant> earliest;
  const auto consider = [&earliest](Instant when) {
    if (!earliest || when < *earliest) earliest = when;
  };
  for (const auto& [key, fetch] : fetches_) {
    // A fetch that waits for a free call is sent when an answer arrives.
    if (fetch.call_id != 0 || in_flight_ < options_.calls_in_flight_max) consider(fetch.due);
  }
  return earliest;
}

}  // namespace fanfare::eth
