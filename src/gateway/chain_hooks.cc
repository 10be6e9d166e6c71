#include "gateway/chain_hooks.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/value.h"

namespace fanfare::gateway {
namespace {

// How long the logs of a block may come after it, before they are requested from the chain.
constexpr Duration kLogsPatience = std::chrono::seconds(2);
// Logs that came before their blocks; beyond it they are requested from the chain.
constexpr std::size_t kEarlyLogsMax = 64;

// RFC8259§2: whitespace around a value is insignificant.
std::string without_space_around(std::string text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.erase(text.find_last_not_of(kSpace) + 1);
  text.erase(0, text.find_first_not_of(kSpace));
  return text;
}

std::optional<eth::Hash256> hash_of(std::string_view raw) {
  const auto text = jsonrpc::string_value(raw);
  return text ? eth::parse_hash(*text) : std::nullopt;
}

bool may_have_logs(const eth::Header& header) {
  const auto bloom = header.logs_bloom();
  return !bloom || std::ranges::any_of(*bloom, [](std::uint8_t byte) { return byte != 0; });
}

// Of eth_getLogs with a blockHash.
std::optional<eth::Hash256> block_of_logs(std::string_view method, std::string_view params) {
  if (method != "eth_getLogs") return std::nullopt;
  const auto filter = jsonrpc::element(params, 0);
  const auto raw = filter ? jsonrpc::member(*filter, "blockHash") : std::nullopt;
  return raw ? hash_of(*raw) : std::nullopt;
}

}  // namespace

// One of the two sides from which calls come.
class ChainHooks::Face final : public upstream::Backend {
 public:
  Face(ChainHooks& hooks, upstream::Executor& executor, bool of_source)
      : hooks_(hooks), executor_(executor), of_source_(of_source) {}

  // Never before call() has returned, as with a node behind a socket.
  void call(std::string body, upstream::CallOptions, upstream::Done done) override {
    executor_.post(
        [this, alive = std::weak_ptr(alive_), body = std::move(body), done = std::move(done)]() mutable {
          if (alive.expired() || executor_.stopping()) {
            return done(std::unexpected(
                upstream::Failure{.kind = upstream::FailureKind::shutdown, .message = "shutting down"}));
          }
          answer(std::move(body), std::move(done));
        });
  }
  std::string_view name() const override { return "hooks"; }

 private:
  void answer(std::string body, upstream::Done done) {
    if (!of_source_)
      return done(upstream::Reply{.body = answer_locally(hooks_.parser_, body, hooks_.methods_)});
    const auto message = hooks_.parser_.parse(body);
    if (message && !message->batch) {
      const jsonrpc::Request& request = message->requests.front();
      if (const auto block = hooks_.missing_logs(request.method, request.params)) {
        return hooks_.wait_for_logs(*block, std::move(body), std::move(done));
      }
    }
    done(upstream::Reply{.body = hooks_.answer_source(body)});
  }

  ChainHooks& hooks_;
  upstream::Executor& executor_;
  bool of_source_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

std::unique_ptr<upstream::Backend> ChainHooks::for_clients(upstream::Executor& executor) {
  return std::make_unique<Face>(*this, executor, /*of_source=*/false);
}
std::unique_ptr<upstream::Backend> ChainHooks::for_source(upstream::Executor& executor) {
  return std::make_unique<Face>(*this, executor, /*of_source=*/true);
}

void ChainHooks::attach(upstream::Executor& executor, Callbacks callbacks) {
  callbacks_ = std::move(callbacks);
  const std::scoped_lock lock(mutex_);
  executor_ = &executor;
}

void ChainHooks::detach() {
  {
    const std::scoped_lock lock(mutex_);
    executor_ = nullptr;
  }
  for (LogLimiter* unreadable :
       {&unreadable_blocks_, &unreadable_logs_, &unreadable_hashes_, &unreadable_statuses_}) {
    unreadable->flush();
  }
}

void ChainHooks::on_thread(upstream::Executor::Task task) {
  const std::scoped_lock lock(mutex_);
  if (executor_ != nullptr) executor_->post(std::move(task));
}

// --- events from the chain --------------------------------------------------------------------------

void ChainHooks::new_block(std::string block_json) {
  on_thread([this, json = without_space_around(std::move(block_json))] {
    auto header = eth::parse_header(json);
    if (!header) {
      return unreadable_blocks_.write(
          {{"problem", log::excerpt(header.error())}, {"value", log::excerpt(json)}});
    }
    const std::string header_json = header->json;
    keep(std::move(*header));
    callbacks_.head(header_json);
  });
}

void ChainHooks::logs(std::string logs_json) {
  on_thread([this, json = without_space_around(std::move(logs_json))] { keep_logs(json); });
}

void ChainHooks::pending(std::string hash) {
  on_thread([this, hash = std::move(hash)] {
    if (!eth::parse_hash(hash)) return unreadable_hashes_.write({{"value", log::excerpt(hash)}});
    callbacks_.pending(hash);
  });
}

void ChainHooks::sync_status(std::string status_json) {
  on_thread([this, json = without_space_around(std::move(status_json))]() mutable {
    const jsonrpc::Kind kind = jsonrpc::kind_of(json);
    // It becomes part of answers, which invalid JSON would break.
    if ((json != "false" && kind != jsonrpc::Kind::object) || !jsonrpc::is_valid_json(json)) {
      return unreadable_statuses_.write({{"value", log::excerpt(json)}});
    }
    sync_status_ = std::move(json);
  });
}

std::uint64_t ChainHooks::unreadable() const {
  return unreadable_blocks_.events() + unreadable_logs_.events() + unreadable_hashes_.events() +
         unreadable_statuses_.events();
}

void ChainHooks::keep(eth::Header header) {
  const std::uint64_t number = header.number;
  const eth::Hash256 hash = header.hash;
  Kept kept{.header = std::move(header), .logs_json = {}};
  kept.may_have_logs = may_have_logs(kept.header);
  if (auto early = early_logs_.extract(hash)) kept.logs_json = std::move(early.mapped());
  blocks_.insert_or_assign(hash, std::move(kept));
  // This block's branch is now the chain.
  chain_.erase(chain_.lower_bound(number), chain_.end());
  eth::Hash256 next = hash;
  for (auto found = blocks_.find(next); found != blocks_.end(); found = blocks_.find(next)) {
    const eth::Header& block = found->second.header;
    const auto [at, fresh] = chain_.try_emplace(block.number, block.hash);
    if (!fresh && at->second == block.hash) break;
    at->second = block.hash;
    next = block.parent_hash;
  }
  forget_old(number);
}

void ChainHooks::keep_logs(std::string_view logs_json) {
  if (jsonrpc::kind_of(logs_json) != jsonrpc::Kind::array || !jsonrpc::is_valid_json(logs_json)) {
    return unreadable_logs_.write({{"problem", "not an array"}, {"value", log::excerpt(logs_json)}});
  }
  std::map<eth::Hash256, std::string> by_block;
  for (const std::string_view one : jsonrpc::array_elements(logs_json)) {
    const auto block = hash_of(jsonrpc::member(one, "blockHash").value_or(""));
    if (!block) {
      unreadable_logs_.write({{"problem", "a log without blockHash"}, {"value", log::excerpt(one)}});
      continue;
    }
    if (jsonrpc::bool_value(jsonrpc::member(one, "removed").value_or("")) == true) continue;
    std::string& all = by_block[*block];
    all += all.empty() ? '[' : ',';
    all += one;
  }
  for (auto& [block, all] : by_block) {
    all += ']';
    if (const auto found = blocks_.find(block); found != blocks_.end()) {
      found->second.logs_json = std::move(all);
    } else {
      if (early_logs_.size() >= kEarlyLogsMax) early_logs_.clear();
      early_logs_.insert_or_assign(block, std::move(all));
    }
    answer_waiting(block);
  }
}

void ChainHooks::forget_old(std::uint64_t head) {
  const std::uint64_t kept = std::uint64_t{window_blocks_} * 2;
  if (head <= kept) return;
  std::erase_if(blocks_, [&](const auto& entry) { return entry.second.header.number < head - kept; });
  chain_.erase(chain_.begin(), chain_.lower_bound(head - kept));
}

// --- calls from the source --------------------------------------------------------------------------

const ChainHooks::Kept* ChainHooks::find_block(std::string_view method, std::string_view params) const {
  const auto first = jsonrpc::string_value(jsonrpc::element(params, 0).value_or("")).value_or("");
  std::optional<eth::Hash256> hash;
  if (method == "eth_getBlockByHash") hash = eth::parse_hash(first);
  if (method == "eth_getBlockByNumber") {
    const auto number = eth::parse_quantity(first);
    const auto found = first == "latest" && !chain_.empty() ? std::prev(chain_.end())
                       : number                             ? chain_.find(*number)
                                                            : chain_.end();
    if (found != chain_.end()) hash = found->second;
  }
  const auto found = hash ? blocks_.find(*hash) : blocks_.end();
  return found == blocks_.end() ? nullptr : &found->second;
}

std::optional<std::string> ChainHooks::known(std::string_view method, std::string_view params) const {
  if (method == "eth_syncing" && sync_status_) return sync_status_;
  if (const auto block = block_of_logs(method, params)) {
    const auto found = blocks_.find(*block);
    if (found == blocks_.end()) return std::nullopt;
    if (found->second.logs_json) return found->second.logs_json;
    return found->second.may_have_logs ? std::nullopt : std::optional<std::string>("[]");
  }
  const Kept* block = find_block(method, params);
  return block == nullptr ? std::nullopt : std::optional(block->header.json);
}

std::string ChainHooks::answer_source(std::string_view body) {
  return answer_locally(
      parser_, body,
      [this](std::string_view method, std::string_view params) -> std::expected<std::string, LocalError> {
        if (auto answer = known(method, params)) return *std::move(answer);
        return methods_(method, params);
      });
}

// The hash of a block that was reported without its logs.
std::optional<eth::Hash256> ChainHooks::missing_logs(std::string_view method, std::string_view params) const {
  const auto block = block_of_logs(method, params);
  if (!block || !blocks_.contains(*block) || known(method, params)) return std::nullopt;
  return block;
}

void ChainHooks::wait_for_logs(const eth::Hash256& block, std::string body, upstream::Done done) {
  const auto place =
      waiting_.emplace(block, Waiting{.body = std::move(body), .done = std::move(done), .timer = {}});
  place->second.timer = executor_->call_after(kLogsPatience, [this, block] { answer_waiting(block); });
}

void ChainHooks::answer_waiting(const eth::Hash256& block) {
  for (auto found = waiting_.find(block); found != waiting_.end(); found = waiting_.find(block)) {
    Waiting waiting = std::move(waiting_.extract(found).mapped());
    executor_->cancel(waiting.timer);
    waiting.done(upstream::Reply{.body = answer_source(waiting.body)});
  }
}

}  // namespace fanfare::gateway
