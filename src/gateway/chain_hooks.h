#pragma once
// A chain in the same process that tells what happens (fanfare::ChainServer): what its hooks told is kept for
// the source, which asks for it as it asks a remote node, so that both sources give the same events by the
// same code.
//
//   on_new_block, on_logs --> [ the last blocks, with their logs ] <-- what the source asks
//                                                      what is not there: the chain's own methods
//   requests of clients ------------------------------------------> the chain's own methods

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_limiter.h"
#include "eth/header.h"
#include "gateway/local_answers.h"
#include "upstream/backend.h"
#include "upstream/executor.h"

namespace fanfare::gateway {

class ChainHooks {
 public:
  // What the source is told of, on the executor's thread.
  struct Callbacks {
    std::function<void(std::string_view header_json)> head;
    std::function<void(std::string_view hash)> pending;
  };

  ChainHooks(LocalMethod methods, std::uint32_t window_blocks)
      : methods_(std::move(methods)), window_blocks_(window_blocks) {}
  ChainHooks(const ChainHooks&) = delete;
  ChainHooks& operator=(const ChainHooks&) = delete;

  // Any thread; what is told while nobody is attached is lost, and asked for later. Text that cannot be used
  // is ignored, counted and, a few times a minute, logged.
  void new_block(std::string block_json);
  void logs(std::string logs_json);
  void pending(std::string hash);
  void sync_status(std::string status_json);
  // Blocks, logs, hashes and statuses that could not be used. Any thread.
  std::uint64_t unreadable() const;

  // On the executor's thread, by the network; detach() also after the executor has stopped.
  void attach(upstream::Executor& executor, Callbacks callbacks);
  void detach();
  std::unique_ptr<upstream::Backend> for_clients(upstream::Executor& executor);
  std::unique_ptr<upstream::Backend> for_source(upstream::Executor& executor);

 private:
  class Face;
  struct Kept {
    eth::Header header;
    std::optional<std::string> logs_json;
    bool may_have_logs = true;
  };
  struct Waiting {  // a question for logs that were not told yet
    std::string body;
    upstream::Done done;
    upstream::TimerId timer;
  };

  void on_thread(upstream::Executor::Task task);
  void keep(eth::Header header);
  void keep_logs(std::string_view logs_json);
  void forget_old(std::uint64_t head);
  void answer_waiting(const eth::Hash256& block);
  std::string answer_source(std::string_view body);
  std::optional<std::string> known(std::string_view method, std::string_view params) const;
  const Kept* find_block(std::string_view method, std::string_view params) const;
  std::optional<eth::Hash256> missing_logs(std::string_view method, std::string_view params) const;
  void wait_for_logs(const eth::Hash256& block, std::string body, upstream::Done done);

  const LocalMethod methods_;
  const std::uint32_t window_blocks_;

  // The program may call a hook as often as it likes.
  LogLimiter unreadable_blocks_{log::Level::error, "hook_block_unreadable"};
  LogLimiter unreadable_logs_{log::Level::error, "hook_log_unreadable"};
  LogLimiter unreadable_hashes_{log::Level::error, "hook_pending_hash_unreadable"};
  LogLimiter unreadable_statuses_{log::Level::error, "hook_sync_status_unreadable"};

  std::mutex mutex_;  // guards the executor's coming and going
  upstream::Executor* executor_ = nullptr;

  // The executor's thread's own.
  Callbacks callbacks_;
  jsonrpc::Parser parser_;
  std::map<eth::Hash256, Kept> blocks_;
  std::map<std::uint64_t, eth::Hash256> chain_;  // by number: the branch of the newest block
  std::map<eth::Hash256, std::string> early_logs_;
  std::multimap<eth::Hash256, Waiting> waiting_;
  std::optional<std::string> sync_status_;
};

}  // namespace fanfare::gateway
