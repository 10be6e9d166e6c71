#pragma once
// For tests only: a world with one final chain, and nodes that tell of it badly. No sockets and no clock of
// its own: time is the executor's, chance is the seed's, so that a run can be had again.
//
//   world    a tree of blocks; one of them is the head that counts
//   node     has the world's head, or an older one (late, frozen), or one of its own (disagrees); answers
//   well, or
//            slowly, never, with an error, with nonsense, with 12 MB, with no logs where there are some

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/random.h"
#include "eth/chain_source_world.h"
#include "eth/simulated_node.h"
#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "upstream/backend.h"
#include "upstream/executor.h"

namespace fanfare::gateway::testing {

// A block that knows its parent.
struct WorldBlock {
  eth::SimulatedBlock block;
  const WorldBlock* parent = nullptr;
};

class World {
 public:
  explicit World(Random& random) : random_(random) { head_ = add(nullptr); }

  const WorldBlock& head() const { return *head_; }
  void mine() { head_ = add(head_); }
  // Replaces the last `depth` blocks by `length` others.
  void reorg(std::uint64_t depth, std::uint64_t length) {
    for (; depth > 0 && head_->parent != nullptr; --depth) head_ = head_->parent;
    for (; length > 0; --length) mine();
  }
  // A block that only whoever asked for it has.
  const WorldBlock& fork(const WorldBlock& parent) { return *add(&parent); }

  const WorldBlock* find(const eth::Hash256& hash) const {
    const auto found = by_hash_.find(hash);
    return found == by_hash_.end() ? nullptr : found->second;
  }
  static const WorldBlock* at(const WorldBlock& head, std::uint64_t number) {
    const WorldBlock* block = &head;
    while (block != nullptr && block->block.number > number) block = block->parent;
    return block != nullptr && block->block.number == number ? block : nullptr;
  }

 private:
  const WorldBlock* add(const WorldBlock* parent) {
    auto made = std::make_unique<WorldBlock>();
    random_.fill(made->block.hash.bytes);
    made->parent = parent;
    made->block.timestamp_s = 1'700'000'000;
    if (parent != nullptr) {
      made->block.number = parent->block.number + 1;
      made->block.parent = parent->block.hash;
      made->block.timestamp_s = parent->block.timestamp_s + 2;
    }
    eth::fill_with_logs(made->block, random_, 3);
    eth::fill_with_receipts(made->block, random_, 2);
    by_hash_.emplace(made->block.hash, made.get());
    blocks_.push_back(std::move(made));
    return blocks_.back().get();
  }

  Random& random_;
  std::vector<std::unique_ptr<WorldBlock>> blocks_;
  std::map<eth::Hash256, const WorldBlock*> by_hash_;
  const WorldBlock* head_ = nullptr;
};

enum class Fault : std::uint8_t {
  none,
  slow,           // a body that takes seconds
  half_open,      // the socket stands, and nothing comes
  refused,        // no connection
  dropped,        // the connection ends before the answer
  too_many,       // 429 with Retry-After
  bad_gateway,    // 502
  not_json,       // 200 with a proxy's page
  no_answer,      // JSON, but no JSON-RPC answer
  huge,           // 12 MB
  too_large,      // more than is taken
  error_object,   // JSON-RPC says no
  null_result,    //
  wrong_type,     //
  no_logs,        // an empty list
  another_block,  // not what was asked for
  count_,
};

class FaultyNode final : public upstream::Backend {
 public:
  FaultyNode(std::string name, World& world, upstream::Executor& executor, Random& random)
      : name_(std::move(name)), world_(&world), executor_(executor), random_(random), head_(&world.head()) {}

  std::string_view name() const override { return name_; }

  // How often each fault happens, in 1000 calls. All zero: a good node.
  std::array<std::uint32_t, static_cast<std::size_t>(Fault::count_)> faults{};
  void set_fault(Fault fault, std::uint32_t per_mille) {
    faults[static_cast<std::size_t>(fault)] = per_mille;
  }
  void heal() { faults.fill(0); }
  Duration latency_max = std::chrono::milliseconds(60);
  // What it says of logs of a block it does not have: an error, or (false) that there are none.
  bool knows_what_it_lacks = false;
  bool hangs_on_logs = false;  // no answer about logs and receipts, ever

  void see(const WorldBlock& head) { head_ = &head; }
  // Without any sign of it, it is a node of this chain from now on.
  void move_to(World& world, std::uint64_t chain_id) {
    world_ = &world;
    chain_id_ = chain_id;
    head_ = &world.head();
  }
  std::uint64_t chain_id() const { return chain_id_; }
  const WorldBlock& head() const { return *head_; }
  std::uint64_t calls = 0;
  std::map<std::string, std::uint64_t, std::less<>> asked;  // by method

  void call(std::string body, upstream::CallOptions options, upstream::Done done) override {
    ++calls;
    ++asked[options.method];
    jsonrpc::Parser parser;
    const auto message = parser.parse(body);
    const jsonrpc::Request& request = message->requests.front();
    const Fault fault = choose_fault();
    const Duration timeout = options.timeout.value_or(std::chrono::seconds(30));
    Duration latency = Duration(
        static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(latency_max.count()) + 1)));
    if (fault == Fault::slow) latency += std::chrono::milliseconds(500 + random_.below(20'000));
    const bool hangs =
        hangs_on_logs && (options.method == "eth_getLogs" || options.method == "eth_getBlockReceipts");
    if (fault == Fault::half_open || latency >= timeout || hangs) {
      return end(timeout,
                 std::unexpected(upstream::Failure{
                     .kind = upstream::FailureKind::timeout, .message = "timed out", .sent = true}),
                 std::move(done));
    }
    // A node answers what is true when it answers, not when it was asked.
    executor_.call_after(latency,
                         [this, fault, id = std::string(request.id), method = std::string(request.method),
                          params = std::string(request.params),
                          done = std::move(done)]() mutable { done(result(fault, id, method, params)); });
  }

 private:
  Fault choose_fault() {
    std::uint64_t dice = random_.below(1000);
    for (std::size_t i = 1; i < faults.size(); ++i) {
      if (dice < faults[i]) return static_cast<Fault>(i);
      dice -= faults[i];
    }
    return Fault::none;
  }

  void end(Duration after, upstream::Result result, upstream::Done done) {
    executor_.call_after(
        after, [result = std::move(result), done = std::move(done)]() mutable { done(std::move(result)); });
  }

  upstream::Result result(Fault fault, const std::string& id, const std::string& method,
                          const std::string& params) {
    using upstream::Failure;
    using upstream::FailureKind;
    switch (fault) {
      case Fault::refused:
        return std::unexpected(Failure{.kind = FailureKind::connect, .message = "refused"});
      case Fault::dropped:
        return std::unexpected(Failure{.kind = FailureKind::closed, .message = "dropped", .sent = true});
      case Fault::too_many:
        return std::unexpected(Failure{.kind = FailureKind::http_status,
                                       .http_status = 429,
                                       .message = "HTTP status 429",
                                       .sent = true,
                                       .retry_after = std::chrono::seconds(1 + random_.below(5))});
      case Fault::bad_gateway:
        return std::unexpected(Failure{.kind = FailureKind::http_status,
                                       .http_status = 502,
                                       .message = "HTTP status 502",
                                       .sent = true});
      case Fault::not_json:
        return std::unexpected(Failure{.kind = FailureKind::bad_reply, .message = "no JSON", .sent = true});
      case Fault::too_large:
        return std::unexpected(Failure{.kind = FailureKind::too_large, .message = "too large", .sent = true});
      case Fault::no_answer:
        return upstream::Reply{.body = R"({"status":"ok"})"};
      case Fault::none:
      case Fault::slow:
      case Fault::half_open:
      case Fault::huge:
      case Fault::error_object:
      case Fault::null_result:
      case Fault::wrong_type:
      case Fault::no_logs:
      case Fault::another_block:
      case Fault::count_:
        break;
    }
    upstream::Reply reply;
    const std::string answer = json_of(fault, method, params);
    if (answer.empty()) {
      jsonrpc::append_error(reply.body, id, jsonrpc::ErrorCode::internal, "the node is in trouble");
    } else {
      jsonrpc::append_result(reply.body, id, answer);
    }
    return reply;
  }

  // The `result`; empty: an error object.
  std::string json_of(Fault fault, const std::string& method, const std::string& params) {
    if (fault == Fault::error_object) return "";
    if (fault == Fault::null_result) return "null";
    if (fault == Fault::wrong_type) return R"({"surprise":[1,2,{}]})";
    const bool logs = method == "eth_getLogs";
    if (fault == Fault::no_logs && logs) return "[]";
    if (fault == Fault::another_block && !logs) return with_huge(some_block().block.json(), false);
    return answer(method, params, fault == Fault::huge);
  }

  std::string answer(const std::string& method, const std::string& params, bool huge) {
    if (method == "eth_blockNumber") return '"' + eth::to_quantity(head_->block.number) + '"';
    if (method == "eth_chainId") return '"' + eth::to_quantity(chain_id_) + '"';
    if (method == "eth_getLogs") return logs_of(params);
    if (method == "eth_getBlockReceipts") return receipts_of(params);
    if (method == "eth_syncing") return "false";
    const auto first = jsonrpc::string_value(jsonrpc::element(params, 0).value_or("")).value_or("");
    const WorldBlock* block = nullptr;
    if (method == "eth_getBlockByNumber") {
      const auto number = eth::parse_quantity(first);
      block = first == "latest" ? head_ : number ? World::at(*head_, *number) : nullptr;
    } else if (method == "eth_getBlockByHash") {
      block = known(eth::parse_hash(first).value_or(eth::Hash256{}));
    } else {
      return "";
    }
    return block == nullptr ? "null" : with_huge(block->block.json(), huge);
  }

  std::string logs_of(const std::string& params) {
    const auto filter = jsonrpc::element(params, 0).value_or("");
    const auto text = jsonrpc::string_value(jsonrpc::member(filter, "blockHash").value_or("")).value_or("");
    const auto from = jsonrpc::string_value(jsonrpc::member(filter, "fromBlock").value_or(""));
    const auto number = from ? eth::parse_quantity(*from) : std::nullopt;
    const WorldBlock* block =
        number ? World::at(*head_, *number) : known(eth::parse_hash(text).value_or(eth::Hash256{}));
    if (block == nullptr) return knows_what_it_lacks ? "" : "[]";
    std::string json = "[";
    for (const std::string& log : block->block.logs) json += (json.size() > 1 ? "," : "") + log;
    return json + "]";
  }

  std::string receipts_of(const std::string& params) const {
    const auto text = jsonrpc::string_value(jsonrpc::element(params, 0).value_or("")).value_or("");
    const WorldBlock* block = known(eth::parse_hash(text).value_or(eth::Hash256{}));
    return block == nullptr ? "null" : eth::receipts_json(block->block);
  }

  // A node keeps what it has had, but for what is above its head: a block is there when its branch is.
  const WorldBlock* known(const eth::Hash256& hash) const {
    const WorldBlock* block = world_->find(hash);
    return block != nullptr && block->block.number <= head_->block.number ? block : nullptr;
  }

  const WorldBlock& some_block() {
    const WorldBlock* block = World::at(*head_, random_.below(head_->block.number + 1));
    return block == nullptr ? *head_ : *block;
  }

  // The block with a member more, of 12 MB.
  static std::string with_huge(std::string block_json, bool huge) {
    if (!huge) return block_json;
    block_json.pop_back();
    return block_json + R"(,"padding":")" + std::string(std::size_t{12} << 20, 'x') + "\"}";
  }

  std::string name_;
  World* world_;
  std::uint64_t chain_id_ = 1;
  upstream::Executor& executor_;
  Random& random_;
  const WorldBlock* head_;
};

}  // namespace fanfare::gateway::testing
