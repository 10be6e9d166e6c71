#pragma once
// An in-process chain that reports its events (fanfare::ChainServer). The hooks' events are stored for the
// source, which requests them like those of a remote node. So both kinds of source give the same events by
// the same code.
//
//   on_new_block, on_logs --> [ the last blocks, with their logs ] <-- calls of the source
//                                                      anything else: the chain's own methods
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
  // The callbacks of the source, on the executor's thread.
  struct Callbacks {
    std::function<void(std::string_view header_json)> head;
    std::function<void(std::string_view hash)> pending;
  };

  ChainHooks(LocalMethod methods, std::uint32_t window_blocks)
      : methods_(std::move(methods)), window_blocks_(window_blocks) {}
  ChainHooks(const ChainHooks&) = delete;
  ChainHooks& operator=(const ChainHooks&) = delete;

  // Any thread. Events while nothing is attached are dropped, and requested later. Invalid text is ignored,
  // counted and, a few times a minute, logged.
  void new_block(std::string block_json);
  void logs(std::string logs_json);
  void pending(std::string hash);
  void sync_status(std::string status_json);
  // Invalid blocks, logs, hashes and statuses. Any thread.
  std::uint64_t unreadable() const;

  // Called by the network on the executor's thread; detach() also after the executor has stopped.
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
  struct Waiting {  // a request for logs that were not reported yet
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

  // The program may call a hook at any rate.
  LogLimiter unreadable_blocks_{log::Level::error, "hook_block_unreadable"};
  LogLimiter unreadable_logs_{log::Level::error, "hook_log_unreadable"};
  LogLimiter unreadable_hashes_{log::Level::error, "hook_pending_hash_unreadable"};
  LogLimiter unreadable_statuses_{log::Level::error, "hook_sync_status_unreadable"};

  std::mutex mutex_;  // guards attaching and detaching
  upstream::Executor* executor_ = nullptr;

  // Used by the executor's thread only.
  Callbacks callbacks_;
  jsonrpc::Parser parser_;
  std::map<eth::Hash256, Kept> blocks_;
  std::map<std::uint64_t, eth::Hash256> chain_;  // by number: the branch of the newest block
  std::map<eth::Hash256, std::string> early_logs_;
  std::multimap<eth::Hash256, Waiting> waiting_;
  std::optional<std::string> sync_status_;
};

}  // namespace fanfare::gateway
