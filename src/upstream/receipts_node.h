#pragma once
// A wrapper that makes eth_getBlockReceipts work if its node does not have it, by fetching receipts one by
// one. Other calls pass through. Worker thread only, like any backend.
//
//   eth_getBlockReceipts [hash]  ->  "no such method"  ->  eth_getBlockByHash, then eth_getTransactionReceipt
//                                                          for each transaction, so many at once
//
// This applies only to calls with CallOptions::composable; clients' calls get the node's own answer. A
// missing method is remembered for a while. A call that times out keeps the receipts it has fetched, and the
// next one for the same block continues from there.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "upstream/backend.h"
#include "upstream/executor.h"

namespace fanfare::upstream {

struct ReceiptsOptions {
  std::size_t at_once_max = 8;             // calls in flight for one block
  std::size_t unfinished_blocks_max = 32;  // with receipts kept for the next call; the oldest are dropped
  Duration timeout = std::chrono::seconds(30);         // of a call without a timeout of its own
  Duration remembered_for = std::chrono::minutes(10);  // how long a missing method is remembered
};

class ReceiptsNode final : public Backend {
 public:
  // `executor` must outlive this object.
  ReceiptsNode(Executor& executor, std::unique_ptr<Backend> node, ReceiptsOptions options = {});
  ~ReceiptsNode() override;

  void call(std::string body, CallOptions options, Done done) override;
  std::optional<std::uint64_t> connection() const override { return node_->connection(); }
  void on_reconnect(std::function<void()> reconnected) override {
    node_->on_reconnect(std::move(reconnected));
  }
  std::string_view name() const override { return node_->name(); }

 private:
  // Hash to receipt, as the node sent it.
  using Receipts = std::map<std::string, std::string>;
  struct Job;
  using JobPtr = std::shared_ptr<Job>;

  void compose(const JobPtr& job);
  void take_block(const JobPtr& job, std::string_view block_json);
  void ask_more(const JobPtr& job);
  void take_receipt(const JobPtr& job, const std::string& transaction, std::string_view receipt_json);
  void end_if_complete(const JobPtr& job);
  void keep(Job& job);
  template <typename Taken>
  void ask(const JobPtr& job, std::string_view method, const std::string& params_json, Taken taken);

  Executor& executor_;
  ReceiptsOptions options_;
  std::optional<Instant> lacks_until_;
  std::map<std::string, Receipts> unfinished_;  // by block
  std::vector<std::string> unfinished_by_age_;
  std::unique_ptr<Backend> node_;  // destroyed first: it ends the calls in flight
};

}  // namespace fanfare::upstream
