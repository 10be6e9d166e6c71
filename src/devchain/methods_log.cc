#include <algorithm>
#include <array>
#include <utility>

#include "devchain/methods.h"
#include "devchain/render.h"

namespace fanfare::devchain {
namespace {

void collect(const Block& block, const LogFilter& filter, std::vector<std::string>& into) {
  if (!filter.may_match(block.header.logs_bloom)) return;
  each_log(block, [&](const LogPlace& place) {
    if (filter.matches(place.log())) into.push_back(render_log(block, place, false));
  });
}

// The block number of a bound; `otherwise` if it is absent. There are no pending logs: a pending bound ends
// at the head.
std::uint64_t bound(const Chain& chain, const std::optional<BlockReference>& reference,
                    std::uint64_t otherwise) {
  using Kind = BlockReference::Kind;
  if (!reference) return otherwise;
  switch (reference->kind) {
    case Kind::latest:
    case Kind::pending:
      return chain.head().number();
    case Kind::earliest:
      return 0;
    case Kind::safe:
      return chain.safe_number();
    case Kind::finalized:
      return chain.finalized_number();
    case Kind::number:
    case Kind::hash:
      return reference->number;
  }
  std::unreachable();
}

Answer range(const Chain& chain, const LogFilter& filter, std::uint64_t from, std::uint64_t to) {
  if (from > to) return failure(-32602, "invalid block range params");
  // As execution-apis requires since 2025: for future blocks no answer may look like "no events".
  if (to > chain.head().number()) {
    return failure(-32602, "block range extends beyond current head block");
  }
  if (to - from >= chain.options().logs_range_max) {
    return failure(-32005,
                   "block range too large: at most " + std::to_string(chain.options().logs_range_max));
  }
  // An empty list would mean "no events".
  if (from < chain.ledger().oldest()) return failure(4444, "pruned history unavailable");
  std::vector<std::string> logs;
  for (std::uint64_t number = from; number <= to; ++number) {
    collect(*chain.ledger().by_number(number), filter, logs);
    if (logs.size() > chain.options().logs_max) {
      return failure(-32005,
                     "query returned more than " + std::to_string(chain.options().logs_max) + " results");
    }
  }
  return json_array(logs);
}

bool names_hash(const std::optional<BlockReference>& reference) {
  return reference && reference->kind == BlockReference::Kind::hash;
}

Answer get_logs(Chain& chain, Params& params) {
  const LogRequest request = params.logs(0);
  FANFARE_PARAMS_OK(params);
  if (request.block_hash) {
    const BlockPtr block = chain.ledger().by_hash(*request.block_hash);
    if (block == nullptr) return failure(-32000, "unknown block");
    std::vector<std::string> logs;
    collect(*block, request.filter, logs);
    return json_array(logs);
  }
  if (names_hash(request.from) || names_hash(request.to)) {
    return failure(-32602, "invalid argument 0: fromBlock and toBlock are numbers or tags");
  }
  const std::uint64_t head = chain.head().number();
  return range(chain, request.filter, bound(chain, request.from, head), bound(chain, request.to, head));
}

Answer filter_id(std::optional<std::string> id) {
  if (!id) return failure(-32005, "too many filters: at most " + std::to_string(Filters::kFiltersMax));
  return json_string(*id);
}

Answer new_filter(Chain& chain, Params& params) {
  const LogRequest request = params.logs(0);
  FANFARE_PARAMS_OK(params);
  if (request.block_hash || names_hash(request.from) || names_hash(request.to)) {
    return failure(-32602, "invalid argument 0: a filter takes fromBlock and toBlock as numbers or tags");
  }
  Filters::LogQuery query{.filter = request.filter};
  // "latest" moves with the head, so only fixed bounds limit the range.
  const auto fixed = [&](const std::optional<BlockReference>& reference) -> std::optional<std::uint64_t> {
    if (!reference || reference->kind == BlockReference::Kind::latest ||
        reference->kind == BlockReference::Kind::pending) {
      return std::nullopt;
    }
    return bound(chain, reference, 0);
  };
  query.from_block = fixed(request.from);
  query.to_block = fixed(request.to);
  if (query.from_block && query.to_block && *query.from_block > *query.to_block) {
    return failure(-32602, "invalid block range params");
  }
  return filter_id(
      chain.filters().add(Filters::Kind::logs, std::move(query), chain.now(), chain.id_random()));
}

Answer new_block_filter(Chain& chain, Params&) {
  return filter_id(chain.filters().add(Filters::Kind::blocks, {}, chain.now(), chain.id_random()));
}

Answer new_pending_filter(Chain& chain, Params& params) {
  const bool bodies = params.boolean(0, false);
  FANFARE_PARAMS_OK(params);
  const auto kind = bodies ? Filters::Kind::pending_bodies : Filters::Kind::pending_hashes;
  return filter_id(chain.filters().add(kind, {}, chain.now(), chain.id_random()));
}

Answer filter_changes(Chain& chain, Params& params) {
  const std::string id = params.text(0);
  FANFARE_PARAMS_OK(params);
  auto changes = chain.filters().take(id, chain.now());
  if (!changes) return failure(-32000, "filter not found");
  return *std::move(changes);
}

Answer filter_logs(Chain& chain, Params& params) {
  const std::string id = params.text(0);
  FANFARE_PARAMS_OK(params);
  const Filters::LogQuery* query = chain.filters().log_query(id);
  if (query == nullptr) return failure(-32000, "filter not found");
  const std::uint64_t head = chain.head().number();
  return range(chain, query->filter, query->from_block.value_or(head), query->to_block.value_or(head));
}

Answer uninstall_filter(Chain& chain, Params& params) {
  const std::string id = params.text(0);
  FANFARE_PARAMS_OK(params);
  return chain.filters().remove(id) ? "true" : "false";
}

constexpr std::array<Method, 7> kMethods = {{
    {"eth_getLogs", 1, get_logs},
    {"eth_newFilter", 1, new_filter},
    {"eth_newBlockFilter", 0, new_block_filter},
    {"eth_newPendingTransactionFilter", 1, new_pending_filter},
    {"eth_getFilterChanges", 1, filter_changes},
    {"eth_getFilterLogs", 1, filter_logs},
    {"eth_uninstallFilter", 1, uninstall_filter},
}};

}  // namespace

std::span<const Method> log_methods() {
  return kMethods;
}

}  // namespace fanfare::devchain
