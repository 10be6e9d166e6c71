#pragma once
// For tests only: faulty nodes of a world (world_for_tests.h). No sockets and no clock of their own: the
// executor gives the time and the seed the randomness, so that a run can be repeated.
//
//   node     has the world's head, an older one (late, frozen) or one of its own (disagrees); answers
//            correctly, slowly, never, with an error, with nonsense, with 12 MB, or without existing logs;
//            accepts transactions, which only it knows; rejects batches, or answers them badly
//
// Connections are kept as an HTTP client keeps them, so that an answer says whether its connection is new.

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gateway/world_for_tests.h"
#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "upstream/backend.h"
#include "upstream/executor.h"

namespace fanfare::gateway::simulated {

enum class Fault : std::uint8_t {
  none,
  slow,           // a body that takes seconds
  half_open,      // the socket stays open, and no answer comes
  refused,        // no connection
  dropped,        // the connection ends before the answer
  too_many,       // 429 with Retry-After
  bad_gateway,    // 502
  not_json,       // 200 with a proxy's error page
  no_answer,      // JSON, but no JSON-RPC answer
  huge,           // 12 MB
  too_large,      // more than is accepted
  error_object,   // a JSON-RPC error
  null_result,    //
  wrong_type,     //
  no_logs,        // an empty list
  another_block,  // not the requested one
  count_,
};

class FaultyNode final : public upstream::Backend {
 public:
  FaultyNode(std::string name, World& world, upstream::Executor& executor, Random& random)
      : name_(std::move(name)), world_(&world), executor_(executor), random_(random), head_(&world.head()) {}

  std::string_view name() const override { return name_; }

  // How often each fault happens, in 1000 calls. All zero: a healthy node.
  std::array<std::uint32_t, static_cast<std::size_t>(Fault::count_)> faults{};
  void set_fault(Fault fault, std::uint32_t per_mille) {
    faults[static_cast<std::size_t>(fault)] = per_mille;
  }
  void heal() {
    faults.fill(0);
    note_change();
  }
  Duration latency_max = std::chrono::milliseconds(60);
  // The answer for logs of an unknown block: an error, or (false) an empty list.
  bool knows_what_it_lacks = false;
  // Of the finalized block, below the head. Deeper than any reorg of a simulation.
  static constexpr std::uint64_t kFinalDepth = 64;
  bool hangs_on_logs = false;  // no answer about logs and receipts, ever

  void see(const WorldBlock& head) {
    if (head.block.number < head_->block.number) note_change();
    for (std::uint64_t n = head_->block.number + 1; n <= head.block.number; ++n)
      reached_[n] = executor_.now();
    head_ = &head;
  }
  // The highest block that it has had for so long.
  std::uint64_t height_for(Duration time) const {
    std::uint64_t height = head_->block.number;
    for (auto found = reached_.find(height); found != reached_.end(); found = reached_.find(height)) {
      if (found->second + time <= executor_.now() || height == 0) break;
      --height;
    }
    return height;
  }
  // From now on, without any notice, it is a node of this chain.
  void move_to(World& world, std::uint64_t chain_id) {
    world_ = &world;
    chain_id_ = chain_id;
    head_ = &world.head();
    transactions_.clear();
    note_change();
  }
  // The same as a replacement at the address: the connections end, and with them the calls in flight.
  void replace_by(World& world, std::uint64_t chain_id) {
    move_to(world, chain_id);
    ++incarnation_;
    idle_connections_ = 0;
  }
  // Larger batches are rejected as a whole, in one of several forms.
  std::size_t batch_max = SIZE_MAX;
  // Answers to batches come in another order, with one missing or under an unknown id.
  bool sloppy_batches = false;
  // The blocks with which it has answered "finalized", final or not.
  std::set<eth::Hash256> named_final;
  // Called for each transaction that it has accepted, whatever it answered. May be empty.
  std::function<void(const FaultyNode&, const std::string& raw)> took;
  std::uint64_t chain_id() const { return chain_id_; }
  const WorldBlock& head() const { return *head_; }
  bool has_transaction(const std::string& raw) const { return transactions_.contains(raw); }
  // How often, and when last, it changed: faults, its chain, or a head below the last one.
  std::uint64_t changes = 0;
  Instant changed_at{};
  std::uint64_t calls = 0;
  std::map<std::string, std::uint64_t, std::less<>> asked;  // by method

  void call(std::string body, upstream::CallOptions options, upstream::Done done) override {
    ++calls;
    ++asked[options.method];
    const Fault fault = choose_fault();
    const Duration timeout = options.timeout.value_or(std::chrono::seconds(30));
    Duration latency = Duration(
        static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(latency_max.count()) + 1)));
    if (fault == Fault::slow) latency += std::chrono::milliseconds(500 + random_.below(20'000));
    const bool is_new = options.repeat != upstream::Repeat::always || idle_connections_ == 0;
    if (!is_new) --idle_connections_;
    auto message = std::make_shared<Message>(body);
    const bool hangs =
        hangs_on_logs && (options.method == "eth_getLogs" || options.method == "eth_getBlockReceipts");
    if (fault == Fault::half_open || latency >= timeout || hangs) {
      carry_out(*message);
      return end(timeout,
                 std::unexpected(upstream::Failure{
                     .kind = upstream::FailureKind::timeout, .message = "timed out", .sent = true}),
                 std::move(done));
    }
    // The answer reflects the state at the time of answering.
    executor_.call_after(latency, [this, fault, is_new, message, incarnation = incarnation_,
                                   done = std::move(done)]() mutable {
      if (incarnation != incarnation_) return done(std::unexpected(lost()));
      upstream::Result its_result = result(fault, *message);
      if (its_result) {
        its_result->new_connection = is_new;
        ++idle_connections_;
      }
      done(std::move(its_result));
    });
  }

 private:
  struct Question {
    std::string id, method, params;
  };
  struct Message {
    explicit Message(const std::string& body) {
      jsonrpc::Parser parser({.batch_elements_max = 100'000});
      const auto parsed = parser.parse(body);
      batch = parsed->batch;
      for (const jsonrpc::Request& request : parsed->requests) {
        questions.push_back(
            {std::string(request.id), std::string(request.method), std::string(request.params)});
      }
    }
    std::vector<Question> questions;
    bool batch = false;
  };

  void note_change() {
    ++changes;
    changed_at = executor_.now();
  }
  static upstream::Failure lost() {
    return {.kind = upstream::FailureKind::closed, .message = "dropped", .sent = true};
  }
  static upstream::Failure status(int code) {
    return {.kind = upstream::FailureKind::http_status,
            .http_status = code,
            .message = "HTTP status " + std::to_string(code),
            .sent = true};
  }

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

  upstream::Result result(Fault fault, const Message& message) {
    using upstream::Failure;
    using upstream::FailureKind;
    if (fault == Fault::refused) {
      return std::unexpected(Failure{.kind = FailureKind::connect, .message = "refused"});
    }
    if (fault == Fault::too_many) {
      Failure failure = status(429);
      failure.retry_after = std::chrono::seconds(1 + random_.below(5));
      return std::unexpected(std::move(failure));
    }
    if (message.batch && message.questions.size() > batch_max) return refused_batch();
    carry_out(message);
    switch (fault) {
      case Fault::dropped:
        return std::unexpected(lost());
      case Fault::bad_gateway:
        return std::unexpected(status(502));
      case Fault::not_json:
        return std::unexpected(Failure{.kind = FailureKind::bad_reply, .message = "no JSON", .sent = true});
      case Fault::too_large:
        return std::unexpected(Failure{.kind = FailureKind::too_large, .message = "too large", .sent = true});
      case Fault::no_answer:
        return upstream::Reply{.body = R"({"status":"ok"})"};
      case Fault::none:
      case Fault::slow:
      case Fault::half_open:
      case Fault::refused:
      case Fault::too_many:
      case Fault::huge:
      case Fault::error_object:
      case Fault::null_result:
      case Fault::wrong_type:
      case Fault::no_logs:
      case Fault::another_block:
      case Fault::count_:
        break;
    }
    if (!message.batch) return upstream::Reply{.body = one(fault, message.questions.front())};
    return upstream::Reply{.body = all(fault, message.questions)};
  }

  upstream::Result refused_batch() {
    const std::string error =
        R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}})";
    switch (random_.below(4)) {
      case 0:
        return upstream::Reply{.body = error};
      case 1:
        return upstream::Reply{.body = "[" + error + "]"};
      case 2:
        return std::unexpected(status(413));
      default:
        return std::unexpected(status(400));
    }
  }

  // A fault affects one element of a batch.
  std::string all(Fault fault, const std::vector<Question>& questions) {
    const std::size_t bad = random_.below(questions.size());
    std::vector<std::string> answers;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      answers.push_back(one(i == bad ? fault : Fault::none, questions[i]));
    }
    if (sloppy_batches) {
      std::ranges::reverse(answers);
      Question nobodys = questions[bad];
      nobodys.id = "4711";
      if (random_.below(2) == 0) answers.push_back(one(Fault::none, nobodys));
      if (random_.below(2) == 0 && answers.size() > 1) answers.erase(answers.begin());
    }
    std::string text = "[";
    for (const std::string& answer : answers) text.append(text.size() > 1 ? "," : "").append(answer);
    return text + "]";
  }

  std::string one(Fault fault, const Question& question) {
    std::string text;
    const std::string answer = json_of(fault, question.method, question.params);
    if (question.params.starts_with("[\"finalized\"")) {
      if (const auto header = eth::parse_header(answer)) named_final.insert(header->hash);
    }
    if (answer.empty()) {
      jsonrpc::append_error(text, question.id, jsonrpc::ErrorCode::internal, "the node is in trouble");
    } else {
      jsonrpc::append_result(text, question.id, answer);
    }
    return text;
  }

  // A raw transaction is its sender (8 digits), its nonce (8 digits) and zeros, and its own hash.
  void carry_out(const Message& message) {
    for (const Question& question : message.questions) {
      if (question.method != "eth_sendRawTransaction") continue;
      const std::string raw(
          jsonrpc::string_value(jsonrpc::element(question.params, 0).value_or("")).value_or(""));
      if (raw.size() != 66) continue;
      transactions_.insert(raw);
      if (took) took(*this, raw);
    }
  }
  std::string pending_nonce(std::string_view sender) const {
    std::uint64_t next = 0;
    for (const std::string& raw : transactions_) {
      if (raw.substr(2, 8) == sender)
        next = std::stoull(raw.substr(10, 8), nullptr, 16) + 1;  // the transactions are sorted
    }
    return '"' + eth::to_quantity(next) + '"';
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
    if (method == "eth_sendRawTransaction") return std::string(jsonrpc::element(params, 0).value_or("\"\""));
    const auto first = jsonrpc::string_value(jsonrpc::element(params, 0).value_or("")).value_or("");
    if (method == "eth_getTransactionCount" && first.size() >= 10) return pending_nonce(first.substr(2, 8));
    if (method == "eth_getTransactionByHash") {
      return transactions_.contains(std::string(first)) ? R"({"hash":")" + std::string(first) + "\"}"
                                                        : "null";
    }
    const WorldBlock* block = nullptr;
    if (method == "eth_getBlockByNumber") {
      const std::uint64_t head = head_->block.number;
      const auto number =
          first == "finalized" ? head - std::min(head, kFinalDepth) : eth::parse_quantity(first);
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
    if (const auto from = jsonrpc::member(filter, "fromBlock")) {  // of one block
      const auto number = eth::parse_quantity(jsonrpc::string_value(*from).value_or(""));
      const WorldBlock* named = number ? World::at(*head_, *number) : nullptr;
      if (named == nullptr) return knows_what_it_lacks ? "" : "[]";
      return logs_json(*named);
    }
    const auto text = jsonrpc::string_value(jsonrpc::member(filter, "blockHash").value_or("")).value_or("");
    const WorldBlock* block = known(eth::parse_hash(text).value_or(eth::Hash256{}));
    if (block == nullptr) return knows_what_it_lacks ? "" : "[]";
    return logs_json(*block);
  }
  static std::string logs_json(const WorldBlock& block) {
    std::string json = "[";
    for (const std::string& log : block.block.logs) json += (json.size() > 1 ? "," : "") + log;
    return json + "]";
  }

  std::string receipts_of(const std::string& params) const {
    const auto text = jsonrpc::string_value(jsonrpc::element(params, 0).value_or("")).value_or("");
    const WorldBlock* block = known(eth::parse_hash(text).value_or(eth::Hash256{}));
    return block == nullptr ? "null" : eth::receipts_json(block->block);
  }

  // A node keeps blocks it has had, except those above its head: it has a block if it has the block's branch.
  const WorldBlock* known(const eth::Hash256& hash) const {
    const WorldBlock* block = world_->find(hash);
    return block != nullptr && block->block.number <= head_->block.number ? block : nullptr;
  }

  const WorldBlock& some_block() {
    const WorldBlock* block = World::at(*head_, random_.below(head_->block.number + 1));
    return block == nullptr ? *head_ : *block;
  }

  // The block with an extra member of 12 MB.
  static std::string with_huge(std::string block_json, bool huge) {
    if (!huge) return block_json;
    block_json.pop_back();
    return block_json + R"(,"padding":")" + std::string(std::size_t{12} << 20, 'x') + "\"}";
  }

  std::string name_;
  std::map<std::uint64_t, Instant> reached_;  // when its head came to this number last
  World* world_;
  std::uint64_t chain_id_ = 1;
  upstream::Executor& executor_;
  Random& random_;
  const WorldBlock* head_;
  std::set<std::string> transactions_;
  std::uint64_t incarnation_ = 0;
  std::size_t idle_connections_ = 0;
};

}  // namespace fanfare::gateway::simulated
