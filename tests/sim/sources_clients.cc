#include "sources_clients.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "eth/hex.h"
#include "gateway/forward.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"

namespace fanfare::gateway::simulated {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kRightChain = 1;
constexpr std::size_t kCacheBytes = std::size_t{1} << 20;
// A node counts as well only so long after its last change, because earlier calls may still be answered.
constexpr Duration kSettled = 3s;
// How long a sent transaction must count in the pending nonce.
constexpr Duration kNonceFor = 1min;

[[noreturn]] void broken(const std::string& what) {
  throw std::runtime_error("a client: " + what);
}

std::string quoted(std::string_view text) {
  return '"' + std::string(text) + '"';
}

std::optional<std::uint64_t> quantity(std::string_view raw) {
  const auto text = jsonrpc::string_value(raw);
  return text ? eth::parse_quantity(*text) : std::nullopt;
}

// The height in a block, or in eth_blockNumber's result.
std::optional<std::uint64_t> height_of(std::string_view result) {
  if (jsonrpc::kind_of(result) != jsonrpc::Kind::object) return quantity(result);
  return quantity(jsonrpc::member(result, "number").value_or(""));
}

std::optional<eth::Hash256> hash_in(std::string_view object, std::string_view member) {
  const auto text = jsonrpc::string_value(jsonrpc::member(object, member).value_or(""));
  return text ? eth::parse_hash(*text) : std::nullopt;
}

// Its answers may be wrong without a sign that shows it.
bool lies(const FaultyNode& node) {
  constexpr auto kLies =
      std::to_array({Fault::null_result, Fault::wrong_type, Fault::no_logs, Fault::another_block});
  return std::ranges::any_of(kLies,
                             [&](Fault fault) { return node.faults[static_cast<std::size_t>(fault)] > 0; });
}

std::string logs_json(const WorldBlock& block) {
  std::string all = "[";
  for (const std::string& log : block.block.logs) all += (all.size() > 1 ? "," : "") + log;
  return all + "]";
}

}  // namespace

Clients::Clients(Setting setting)
    : set_(std::move(setting)), reads_(set_.time, set_.pool, metrics_, kCacheBytes, &set_.pool) {
  reads_.on_shorter([this] { follower_->look_now(); });
  filter_calls_ = std::make_unique<FilterCalls>(
      set_.time, eth::FilterLimits{}, set_.random,
      FilterCalls::Source{
          .set_interest =
              [this](const eth::Interest& interest) {
                follower_->set_interest(set_.filters_index, interest);
              },
          .followed = [this](UniqueFunction<void(bool)> done) { done(follower_->source().tip() != nullptr); },
          .await_pending = [](UniqueFunction<void(const std::string&)> done) { done("not simulated"); }});
  for (std::size_t i = 0; i < set_.nodes.size(); ++i) {
    set_.nodes[i]->took = [this](const FaultyNode& node, const std::string& raw) {
      if (set_.replaced_visibly && node.chain_id() != kRightChain)
        broken("a transaction went to another chain");
      if (++carried_out_[raw] > 1) broken("a transaction was carried out twice: " + raw);
    };
  }
}

// --- the gateway's part --------------------------------------------------------------------------------

void Clients::take(const std::vector<eth::SourceEvent>& events) {
  const auto take_head = [this](const eth::Header& header) {
    reads_.steady().head_announced(header.number);
    show(header.number);
  };
  for (const eth::SourceEvent& event : events) {
    std::visit(
        eth::Visitor{
            [&](const eth::Baseline& baseline) {
              ++holes_;  // the first one is before all filters
              take_head(*baseline.header);
            },
            [&](const eth::BlockAdded& added) {
              heads_.push_back(added.header->json);
              take_head(*added.header);
            },
            [this](const eth::Reorg& reorg) {
              const std::uint64_t kept = reorg.old_number - std::min(reorg.depth, reorg.old_number);
              reads_.steady().chain_went_back(kept);
              if (reorg.other_genesis || reorg.depth > reorg.old_number) {
                reads_.forget();
              } else {
                reads_.chain_went_back(kept);
              }
              shown_ = std::min(shown_, kept);
              if (reorg.beyond_window) ++log_holes_;
            },
            [this](const eth::Gap&) { ++holes_; }, [this](const eth::LogsMissing&) { ++log_holes_; },
            eth::Ignores<eth::BlockLogsLate, eth::BlockRemoved, eth::PendingHash, eth::PendingBody,
                         eth::PendingMissed, eth::ReceiptsKnown, eth::ReceiptsMissing, eth::FeedEvent>{}},
        event);
  }
  filter_calls_->on_events(events);
}

void Clients::chains_changed() {
  for (const upstream::MemberStatus& member : set_.pool.status()) {
    if (!member.wrong_chain.empty()) return reads_.forget();
  }
}

// --- the state of the nodes ----------------------------------------------------------------------------

bool Clients::is_well(std::size_t node) const {
  const FaultyNode& one = *set_.nodes[node];
  const bool has_faults = std::ranges::any_of(one.faults, [](std::uint32_t rate) { return rate > 0; });
  return !has_faults && one.chain_id() == kRightChain && set_.time.now() - one.changed_at >= kSettled &&
         set_.pool.status()[node].available && set_.pool.is_trusted(node);
}

Clients::Seen Clients::see(std::optional<std::uint64_t> number) const {
  Seen seen{.shown = shown_, .number = number};
  for (std::size_t i = 0; i < set_.nodes.size(); ++i) {
    const FaultyNode& node = *set_.nodes[i];
    seen.well.push_back(is_well(i));
    seen.changes.push_back(node.changes);
    // When no node has a block, that stands for a while (PoolOptions::gone_for): one that gets it then is not
    // asked.
    seen.heads.push_back(node.height_for(upstream::PoolOptions{}.gone_for));
    const WorldBlock* block = number ? World::at(node.head(), *number) : nullptr;
    seen.blocks.push_back(block == nullptr ? std::nullopt : std::optional(block->block.hash));
  }
  return seen;
}

bool Clients::was_well(const Seen& seen, std::size_t node) const {
  return seen.well[node] && is_well(node) && set_.nodes[node]->changes == seen.changes[node];
}

const WorldBlock* Clients::agreed(const Seen& seen) const {
  const WorldBlock* one = nullptr;
  bool by_a_well_node = false;
  for (std::size_t i = 0; i < set_.nodes.size(); ++i) {
    const FaultyNode& node = *set_.nodes[i];
    if (node.changes != seen.changes[i] || lies(node) || node.chain_id() != kRightChain ||
        set_.time.now() - node.changed_at < kSettled) {
      return nullptr;
    }
    const WorldBlock* block = World::at(node.head(), *seen.number);
    if (block == nullptr && !seen.blocks[i]) continue;
    if (block == nullptr || seen.blocks[i] != block->block.hash || (one != nullptr && one != block)) {
      return nullptr;
    }
    one = block;
    by_a_well_node = by_a_well_node || was_well(seen, i);
  }
  return by_a_well_node ? one : nullptr;
}

void Clients::show(std::uint64_t number) {
  shown_ = std::max(shown_, number);
}

void Clients::expect_right_chain(std::string_view hash_object, std::string_view what) const {
  if (!set_.replaced_visibly) return;
  const auto hash = hash_in(hash_object, what == "log" ? "blockHash" : "hash");
  if (hash && set_.world.find(*hash) == nullptr) broken("a " + std::string(what) + " of another chain");
}

// --- requests of clients -------------------------------------------------------------------------------

Clients::Element Clients::height() {
  Element element{.item = {.id = "1", .method = "eth_blockNumber", .params = "[]", .answer = {}},
                  .check = {}};
  if (set_.random.below(2) == 0) {
    element.item.method = "eth_getBlockByNumber";
    element.item.params = R"(["latest",false])";
  }
  element.check = [this, seen = see()](std::string_view result) {
    const auto height = height_of(result);
    if (!height) return;
    expect_right_chain(result, "block");
    set_.tell("a client asked at " + std::to_string(seen.shown) + " is told head " + std::to_string(*height));
    for (std::size_t i = 0; i < set_.nodes.size(); ++i) {
      const std::uint64_t has = std::min(seen.heads[i], set_.nodes[i]->head().block.number);
      if (!was_well(seen, i) || has < seen.shown) continue;
      ++sums.heights;
      if (*height < std::min(seen.shown, shown_)) {
        broken("a head went back from " + std::to_string(seen.shown) + " to " + std::to_string(*height) +
               ", which " + std::string(set_.nodes[i]->name()) + " has");
      }
      break;
    }
    if (*height < shown_) shown_ = *height;
    show(*height);
  };
  return element;
}

Clients::Element Clients::block() {
  const std::uint64_t number = set_.random.below(shown_ + 1);
  return {.item = {.id = "1",
                   .method = "eth_getBlockByNumber",
                   .params = "[" + quoted(eth::to_quantity(number)) + ",false]",
                   .answer = {}},
          .check = [this, number, seen = see(number)](std::string_view result) {
            if (result.empty()) return;
            expect_right_chain(result, "block");
            const WorldBlock* expected = agreed(seen);
            if (expected == nullptr) return;
            ++sums.blocks;
            if (hash_in(result, "hash") != expected->block.hash) {
              broken("block " + std::to_string(number) + " of " + std::to_string(seen.shown) +
                     " is answered with " + std::string(result.substr(0, 120)));
            }
          }};
}

Clients::Element Clients::logs() {
  const std::uint64_t number = set_.random.below(shown_ + 1);
  const std::string text = quoted(eth::to_quantity(number));
  return {.item = {.id = "1",
                   .method = "eth_getLogs",
                   .params = R"([{"fromBlock":)" + text + R"(,"toBlock":)" + text + "}]",
                   .answer = {}},
          .check = [this, number, seen = see(number)](std::string_view result) {
            if (jsonrpc::kind_of(result) != jsonrpc::Kind::array) return;
            for (const std::string_view log : jsonrpc::array_elements(result)) expect_right_chain(log, "log");
            const WorldBlock* expected = agreed(seen);
            if (expected == nullptr) return;
            ++sums.logs;
            if (result != logs_json(*expected))
              broken("logs of block " + std::to_string(number) + " are short");
          }};
}

Clients::Element Clients::send(std::size_t client) {
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%08zx%08llx", client + 1,
                static_cast<unsigned long long>(nonces_[client]));
  Sent sent{.raw = "0x" + std::string(digits) + std::string(48, '0'),
            .sender = std::string(digits).substr(0, 8),
            .nonce = nonces_[client]++};
  return {.item = {.id = "1",
                   .method = "eth_sendRawTransaction",
                   .params = "[" + quoted(sent.raw) + "]",
                   .answer = {}},
          .check = [this, sent](std::string_view result) mutable {
            if (result != quoted(sent.raw)) return;
            ++sums.sends;
            for (std::size_t i = 0; i < set_.nodes.size(); ++i) {
              if (!set_.nodes[i]->has_transaction(sent.raw)) continue;
              sent.node = i;
              sent.at = set_.time.now();
              sent.changes = set_.nodes[i]->changes;
              sent_.push_back(sent);
            }
          }};
}

Clients::Element Clients::transaction() {
  if (sent_.empty()) return height();
  const Sent& sent = sent_[sent_.size() - 1 - set_.random.below(std::min<std::size_t>(sent_.size(), 8))];
  return {.item = {.id = "1",
                   .method = "eth_getTransactionByHash",
                   .params = "[" + quoted(sent.raw) + "]",
                   .answer = {}},
          .check = [this, sent, seen = see()](std::string_view result) {
            if (!was_well(seen, sent.node) || !set_.nodes[sent.node]->has_transaction(sent.raw)) return;
            ++sums.transactions;
            if (result == "null") broken("a transaction sent is not known: " + sent.raw);
          }};
}

Clients::Element Clients::nonce() {
  const std::size_t client = set_.random.below(kClients);
  char sender[9];
  std::snprintf(sender, sizeof(sender), "%08zx", client + 1);
  // The state that the answers so far have shown.
  std::vector<Sent> before;
  for (const Sent& sent : sent_) {
    if (sent.sender == sender && set_.time.now() - sent.at < kNonceFor) before.push_back(sent);
  }
  return {
      .item = {.id = "1",
               .method = "eth_getTransactionCount",
               .params = "[" + quoted("0x" + std::string(sender) + std::string(32, '0')) + R"(,"pending"])",
               .answer = {}},
      .check = [this, before, seen = see()](std::string_view result) {
        const auto count = quantity(result);
        for (const Sent& sent : before) {
          const bool has = set_.nodes[sent.node]->has_transaction(sent.raw);
          if (!count || !was_well(seen, sent.node) || !has) continue;
          ++sums.nonces;
          if (*count <= sent.nonce) broken("the pending nonce does not count " + sent.raw);
        }
      }};
}

// An invalid request: some answer must come.
Clients::Element Clients::nonsense() {
  constexpr auto kItems = std::to_array<std::pair<std::string_view, std::string_view>>({
      {"eth_getBlockByNumber", "[{}]"},
      {"eth_getBlockByNumber", R"(["0xfffffffffffffffffff",false])"},
      {"eth_getLogs", "[[[]]]"},
      {"eth_getLogs", R"([{"fromBlock":"latest","toBlock":"earliest"}])"},
      {"eth_getTransactionCount", "[]"},
      {"eth_getTransactionByHash", R"(["0x"])"},
      {"eth_sendRawTransaction", R"(["0x"])"},
      {"eth_getFilterChanges", R"(["0x1"])"},
      {"eth_uninstallFilter", "[]"},
      {"eth_newFilter", R"([{"address":5}])"},
      {"eth_newPendingTransactionFilter", ""},
      {"eth_chainId", ""},
      {"nobody_knows", R"({"this":"one"})"},
      {"", "null"},
  });
  constexpr auto kIds =
      std::to_array<std::string_view>({"1", "1", "\"1\"", "null", "9007199254740993", "-0.5e3", "", ""});
  const auto& [method, params] = kItems[set_.random.below(kItems.size())];
  return {.item = {.id = std::string(kIds[set_.random.below(kIds.size())]),
                   .method = std::string(method),
                   .params = std::string(params),
                   .answer = {}},
          .check = {}};
}

Clients::Element Clients::any(std::size_t client) {
  switch (set_.random.below(8)) {
    case 0:
    case 1:
      return height();
    case 2:
      return block();
    case 3:
      return logs();
    case 4:
      return send(client);
    case 5:
      return transaction();
    case 6:
      return nonce();
    default:
      return nonsense();
  }
}

// --- filters -------------------------------------------------------------------------------------------

void Clients::make_filter() {
  if (follower_->source().tip() == nullptr) return;
  auto filter = std::make_shared<Filter>();
  filter->of_logs = set_.random.below(2) == 0;
  filter->params = set_.random.below(2) == 0
                       ? "{}"
                       : R"({"address":)" + quoted(eth::simulated_address(set_.random.below(3))) + "}";
  const auto& tip = *follower_->source().tip();
  filter->joined = {.number = tip.number, .hash = tip.hash};
  filter->heads_before = heads_.size();
  filter->holes_before = holes_of(*filter);
  set_.tell(std::string("a filter of ") + (filter->of_logs ? "logs" : "blocks") + " begins after block " +
            std::to_string(tip.number));
  Element element{.item = {.id = "1",
                           .method = filter->of_logs ? "eth_newFilter" : "eth_newBlockFilter",
                           .params = filter->of_logs ? "[" + filter->params + "]" : "[]",
                           .answer = {}},
                  .check = [this, filter](std::string_view result) {
                    if (result.empty()) broken("a filter is refused");
                    filter->id = result;
                    filters_.push_back(filter);
                  }};
  submit({std::move(element)}, false);
}

void Clients::ask_filter(const std::shared_ptr<Filter>& filter) {
  submit(
      {{.item = {.id = "1", .method = "eth_getFilterChanges", .params = "[" + filter->id + "]", .answer = {}},
        .check = [this, filter](std::string_view result) { take_changes(*filter, result); }}},
      false);
}

void Clients::take_changes(Filter& filter, std::string_view result) {
  if (result.empty()) {
    if (holes_of(filter) == filter.holes_before) broken("a filter is lost");
    filter.id.clear();
    return;
  }
  filter.holes_before = holes_of(filter);
  for (const std::string_view change : jsonrpc::array_elements(result)) filter.told.emplace_back(change);
}

void Clients::finish() {
  for (const auto& filter : filters_) {
    if (filter->id.empty()) continue;
    ask_filter(filter);
    if (filter->id.empty()) continue;
    ++sums.filters;
    const std::vector<std::string> since(heads_.begin() + static_cast<std::ptrdiff_t>(filter->heads_before),
                                         heads_.end());
    const std::uint64_t kept = lowest_kept(since, filter->joined.number);
    if (filter->of_logs) {
      check_logs(filter->told, eth::parse_log_filter(filter->params).value(), filter->joined.number, kept,
                 set_.world);
    } else {
      check_block_hashes(filter->told, filter->joined, kept, set_.world);
    }
  }
}

// --- one message ---------------------------------------------------------------------------------------

void Clients::act(Duration time_span) {
  if (follower_->source().tip() == nullptr) return;
  const auto soon = [&] {
    return Duration(
        static_cast<Duration::rep>(set_.random.below(static_cast<std::uint64_t>(time_span.count()))));
  };
  for (std::size_t client = 0; client < kClients; ++client) {
    for (std::uint64_t times = set_.random.below(3); times > 0; --times) {
      set_.time.call_after(soon(), [this, client] {
        if (set_.random.below(4) != 0) return submit({any(client)}, false);
        std::vector<Element> batch;
        for (std::uint64_t i = 1 + set_.random.below(set_.random.below(10) == 0 ? 200 : 20); i > 0; --i) {
          batch.push_back(any(client));
        }
        submit(std::move(batch), true);
      });
    }
  }
  if (filters_.size() < 6 && set_.random.below(10) == 0) make_filter();
  for (const auto& filter : filters_) {
    if (!filter->id.empty() && set_.random.below(3) == 0) ask_filter(filter);
  }
}

void Clients::ask_filters() {
  for (const auto& filter : filters_) {
    if (!filter->id.empty()) ask_filter(filter);
  }
}

void Clients::submit(std::vector<Element> elements, bool batch) {
  ForwardJob job{.batch = batch};
  for (const Element& element : elements) job.items.push_back(element.item);
  // A subscriber to heads passes the block that it was shown; others pass none.
  if (set_.random.below(2) == 0 && !heads_.empty()) job.head_min = height_of(heads_.back()).value_or(0);
  if (batch) ++sums.batches;
  auto done = [this, alive = std::weak_ptr(alive_), elements = std::move(elements),
               batch](ForwardJob answered) {
    if (!alive.expired()) check_answers(elements, answered, batch);
  };
  filter_calls_->answer(std::move(job), "", [this, done = std::move(done)](ForwardJob rest) mutable {
    forward(set_.pool, &reads_, std::move(rest), std::move(done));
  });
}

void Clients::check_answers(const std::vector<Element>& elements, const ForwardJob& job, bool batch) {
  if (job.items.size() != elements.size()) broken("elements of a batch are missing");
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::string& id = elements[i].item.id;
    if (id.empty()) continue;
    const auto answer = jsonrpc::split_response(job.items[i].answer);
    if (!answer || answer->id != id) {
      broken(std::string(batch ? "an element of a batch" : "a call") +
             " has no answer of its own: " + elements[i].item.method + " " + job.items[i].answer);
    }
    ++sums.answers;
    if (elements[i].check) elements[i].check(answer->result);
  }
}

}  // namespace fanfare::gateway::simulated
