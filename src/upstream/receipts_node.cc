#include "upstream/receipts_node.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/methods.h"

namespace fanfare::upstream {
namespace {

constexpr int kReceiptsNotFound = -32601;
constexpr int kReceiptsNotSupported = -32004;  // used by hardhat

// "the method eth_getBlockReceipts does not exist/is not available" and its many relatives.
bool says_no_such_method(const jsonrpc::ErrorObject& error) {
  if (static_cast<int>(error.code) == kReceiptsNotFound ||
      static_cast<int>(error.code) == kReceiptsNotSupported) {
    return true;
  }
  std::string text(error.message);
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  constexpr auto kWords = std::to_array<std::string_view>(
      {"not found", "does not exist", "not supported", "unsupported", "not available", "unknown"});
  return text.contains("method") &&
         std::ranges::any_of(kWords, [&](std::string_view words) { return text.contains(words); });
}

}  // namespace

struct ReceiptsNode::Job {
  std::string id;     // of the request, raw
  std::string block;  // its hash, as in the request
  CallOptions options;
  Instant deadline;
  Done done;  // empty after it has run
  std::vector<std::string> transactions;
  std::size_t next = 0;
  std::size_t in_flight = 0;
  bool new_connection = false;  // any part of the answer came over one
  Receipts receipts;

  void end(Result result) {
    if (done) std::exchange(done, {})(std::move(result));
  }
};

ReceiptsNode::ReceiptsNode(Executor& executor, std::unique_ptr<Backend> node, ReceiptsOptions options)
    : executor_(executor), options_(options), node_(std::move(node)) {
  FANFARE_CHECK(options.at_once_max > 0 && options.unfinished_blocks_max > 0);
}

ReceiptsNode::~ReceiptsNode() = default;

void ReceiptsNode::call(std::string body, CallOptions options, Done done) {
  if (!options.composable) return node_->call(std::move(body), std::move(options), std::move(done));
  jsonrpc::Parser parser;
  const auto message = parser.parse(body);
  FANFARE_CHECK(message && message->requests.size() == 1);
  const jsonrpc::Request& request = message->requests.front();
  auto job = std::make_shared<Job>();
  job->id = request.id;
  job->block = jsonrpc::string_copy(jsonrpc::element(request.params, 0).value_or("")).value_or("");
  job->deadline = executor_.now() + options.timeout.value_or(options_.timeout);
  // The timeout covers all of the node's answers together.
  options.deadline.reset();
  job->options = options;
  job->done = std::move(done);
  if (lacks_until_ && executor_.now() < *lacks_until_) return compose(job);
  node_->call(std::move(body), std::move(options), [this, job](Result result) {
    if (!result) return job->end(std::move(result));
    job->new_connection = result->new_connection;
    const auto answer = answer_of(*result);
    const bool lacks =
        answer && !answer->error.empty() && says_no_such_method(jsonrpc::read_error(answer->error));
    if (!lacks) return job->end(std::move(result));
    lacks_until_ = executor_.now() + options_.remembered_for;
    compose(job);
  });
}

// Calls the node and passes the result to `taken`. Any other outcome ends the job and becomes its answer.
template <typename Taken>
void ReceiptsNode::ask(const JobPtr& job, std::string_view method, const std::string& params_json,
                       Taken taken) {
  std::string body;
  jsonrpc::append_request(body, job->id, method, params_json);
  CallOptions options = options_for(method);
  options.for_source = job->options.for_source;
  options.caller = job->options.caller;
  options.timeout = std::max(job->deadline - executor_.now(), Duration(std::chrono::milliseconds(1)));
  node_->call(std::move(body), std::move(options), [this, job, taken = std::move(taken)](Result result) {
    // After a shutdown no member may be accessed.
    if (!result && result.error().kind == FailureKind::shutdown) return job->end(std::move(result));
    --job->in_flight;
    if (result) job->new_connection = result->new_connection = job->new_connection || result->new_connection;
    const auto answer = result ? answer_of(*result) : std::nullopt;
    if (answer && answer->error.empty() && jsonrpc::kind_of(answer->result) != jsonrpc::Kind::null) {
      taken(answer->result);
      if (!job->done) keep(*job);  // too late for this call, but useful for the next
      return;
    }
    keep(*job);
    job->end(std::move(result));
  });
  ++job->in_flight;
}

void ReceiptsNode::compose(const JobPtr& job) {
  if (auto known = unfinished_.extract(job->block); !known.empty()) {
    std::erase(unfinished_by_age_, job->block);
    job->receipts = std::move(known.mapped());
  }
  ask(job, "eth_getBlockByHash", "[\"" + job->block + "\",false]",
      [this, job](std::string_view block_json) { take_block(job, block_json); });
}

void ReceiptsNode::take_block(const JobPtr& job, std::string_view block_json) {
  if (!job->done) return;
  const auto transactions = jsonrpc::member(block_json, "transactions").value_or("");
  bool are_hashes = jsonrpc::kind_of(transactions) == jsonrpc::Kind::array;
  if (are_hashes) {
    for (const std::string_view element : jsonrpc::array_elements(transactions)) {
      auto hash = jsonrpc::string_copy(element);
      are_hashes = are_hashes && hash.has_value();
      if (hash) job->transactions.push_back(std::move(*hash));
    }
  }
  // Must not be mistaken for a block without transactions.
  if (!are_hashes) {
    Reply reply{.new_connection = job->new_connection};
    jsonrpc::append_error(reply.body, job->id, jsonrpc::ErrorCode::method_not_found,
                          "neither eth_getBlockReceipts nor the block's transactions");
    return job->end(std::move(reply));
  }
  ask_more(job);
  end_if_complete(job);
}

void ReceiptsNode::ask_more(const JobPtr& job) {
  while (job->in_flight < options_.at_once_max && job->next < job->transactions.size()) {
    const std::string& transaction = job->transactions[job->next++];
    if (job->receipts.contains(transaction)) continue;
    ask(job, "eth_getTransactionReceipt", "[\"" + transaction + "\"]",
        [this, job, transaction](std::string_view receipt) { take_receipt(job, transaction, receipt); });
  }
}

void ReceiptsNode::take_receipt(const JobPtr& job, const std::string& transaction,
                                std::string_view receipt_json) {
  job->receipts.insert_or_assign(transaction, std::string(receipt_json));
  if (!job->done) return;
  ask_more(job);
  end_if_complete(job);
}

void ReceiptsNode::end_if_complete(const JobPtr& job) {
  if (job->in_flight > 0 || job->next < job->transactions.size()) return;
  std::string all = "[";
  for (const std::string& transaction : job->transactions) {
    all.append(all.size() > 1 ? "," : "").append(job->receipts[transaction]);
  }
  job->receipts.clear();
  Reply reply{.new_connection = job->new_connection};
  jsonrpc::append_result(reply.body, job->id, all + "]");
  job->end(std::move(reply));
}

// Keeps the fetched receipts of a block whose call has failed.
void ReceiptsNode::keep(Job& job) {
  if (job.receipts.empty()) return;
  const auto [place, is_new] = unfinished_.try_emplace(job.block);
  place->second.merge(job.receipts);
  if (!is_new) return;
  unfinished_by_age_.push_back(job.block);
  if (unfinished_by_age_.size() <= options_.unfinished_blocks_max) return;
  unfinished_.erase(unfinished_by_age_.front());
  unfinished_by_age_.erase(unfinished_by_age_.begin());
}

}  // namespace fanfare::upstream
