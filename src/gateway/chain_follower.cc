#include "gateway/chain_follower.h"

#include <algorithm>
#include <utility>

#include "eth/hex.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/methods.h"

namespace fanfare::gateway {
namespace {

// Limit for calls with unusable answers that are remembered; at the limit all are forgotten.
constexpr std::size_t kSuspectedCallsMax = 256;

jsonrpc::CallFailure to_call_failure(const upstream::Failure& failure) {
  const bool timed_out = failure.kind == upstream::FailureKind::timeout;
  return {.kind = timed_out ? jsonrpc::CallFailure::Kind::timed_out : jsonrpc::CallFailure::Kind::unreachable,
          .code = 0,
          // A node that reports too many requests has not executed the call.
          .maybe_done = failure.sent && failure.http_status != 429,
          .message = failure.message};
}

// The views of the result point into the reply.
jsonrpc::CallResult to_call_result(const upstream::Result& result) {
  if (!result) return std::unexpected(to_call_failure(result.error()));
  const auto answer = jsonrpc::split_response(result->body);
  if (!answer) {
    return std::unexpected(jsonrpc::CallFailure{.maybe_done = true, .message = "the answer is not JSON-RPC"});
  }
  if (answer->error.empty()) return answer->result;
  const auto error = jsonrpc::read_error(answer->error);
  return std::unexpected(jsonrpc::CallFailure{.kind = jsonrpc::CallFailure::Kind::rejected,
                                              .code = static_cast<int>(error.code),
                                              .message = error.message});
}

bool asks_for_block(const jsonrpc::UpstreamCall& call) {
  return call.method == "eth_getBlockByNumber" || call.method == "eth_getBlockByHash";
}
bool asks_for_head(const jsonrpc::UpstreamCall& call) {
  return call.method == "eth_getBlockByNumber" && call.params_json.starts_with("[\"latest\"");
}

std::optional<std::uint64_t> number_of(const jsonrpc::CallResult& block) {
  const auto raw = block ? jsonrpc::member(*block, "number") : std::nullopt;
  const auto text = raw ? jsonrpc::string_value(*raw) : std::nullopt;
  return text ? eth::parse_quantity(*text) : std::nullopt;
}

}  // namespace

ChainFollower::ChainFollower(upstream::Executor& executor, Nodes nodes,
                             const eth::ChainSourceOptions& options, Random& random, Callbacks callbacks,
                             StallLimits stall)
    : executor_(executor),
      nodes_(nodes),
      callbacks_(std::move(callbacks)),
      stall_(stall),
      source_(options, random) {}

ChainFollower::~ChainFollower() = default;

void ChainFollower::start() {
  started_ = true;
  source_.start(executor_.now());
  pump();
}

void ChainFollower::set_interest(std::size_t loop_index, const eth::Interest& interest) {
  source_.set_interest(loop_index, interest, executor_.now());
  if (started_) pump();
}

void ChainFollower::resume(const eth::Position& from, const eth::HistoryNeeds& needs, HistoryDone done) {
  resuming_.emplace(source_.resume(from, needs, executor_.now()), std::move(done));
  if (started_) pump();
}

void ChainFollower::await_listening(eth::SubscriptionType type, ListenDone done) {
  listeners_.emplace(source_.await_listening(type, executor_.now()), std::move(done));
  if (started_) return pump();
  answer_listeners();
  arm_timer();
}

void ChainFollower::answer_listeners() {
  for (const eth::Listening& answer : source_.take_listening()) {
    auto waiting = listeners_.extract(answer.listener);
    if (!waiting.empty()) waiting.mapped()(answer.refusal);
  }
}

void ChainFollower::hint(std::size_t member, std::string_view header_json) {
  const auto header = eth::parse_header(header_json);
  if (!header || !started_) return;
  if (nodes_.pool != nullptr) nodes_.pool->head_seen(member, header->number);
  hinted_number_ = header->number;
  set_hinted(true);
  // Another node was faster.
  if (source_.tip() != nullptr && source_.tip()->hash == header->hash) return;
  source_.poll_now(executor_.now());
  pump();
}

void ChainFollower::hints_lost() {
  set_hinted(false);
  look_now();  // in case something was missed meanwhile
}

void ChainFollower::side_hint(std::size_t member, std::string_view header_json) {
  const auto header = eth::parse_header(header_json);
  if (!header || !started_) return;
  source_.saw_hint(member, head_member_, *header, executor_.now());
  pump();
}

void ChainFollower::side_hints_changed(std::size_t member, bool live) {
  source_.set_hints_live(member, live, executor_.now());
  if (started_) pump();
}

void ChainFollower::look_now() {
  if (started_) source_.poll_now(executor_.now());
  pump();
}

void ChainFollower::set_hinted(bool hinted) {
  if (std::exchange(hinted_, hinted) == hinted) return;
  source_.set_heads_pushed(hinted, executor_.now());
  arm_timer();
}

void ChainFollower::set_pending_pushed(bool pushed) {
  source_.set_pending_pushed(pushed, executor_.now());
  pump();
}

void ChainFollower::saw_pending(std::string_view hash) {
  source_.saw_pending(hash, executor_.now());
  pump();
}

void ChainFollower::pump() {
  if (auto events = source_.take_events(); !events.empty()) callbacks_.events(std::move(events));
  answer_listeners();
  for (eth::History::Answer& answer : source_.take_history()) {
    auto waiting = resuming_.extract(answer.job);
    if (!waiting.empty()) waiting.mapped()(std::move(answer.batch));
  }
  for (const jsonrpc::UpstreamCall& next : source_.take_calls()) call(next);
  while (const auto useless = source_.take_useless_hints()) {
    if (callbacks_.hints_useless) callbacks_.hints_useless(*useless);
  }
  while (const auto use = source_.take_hints_use()) {
    if (callbacks_.hints_use_changed) callbacks_.hints_use_changed(use->source, use->of_use);
  }
  if (callbacks_.turn) callbacks_.turn();
  watch_head();
  arm_timer();
}

void ChainFollower::arm_timer() {
  executor_.cancel(timer_);
  const auto due = source_.next_timer();
  if (!due) return;
  timer_ = executor_.call_at(*due, [this] {
    source_.on_timer(executor_.now());
    if (started_) return pump();
    answer_listeners();
    arm_timer();
  });
}

void ChainFollower::call(const jsonrpc::UpstreamCall& next, std::uint64_t head_min) {
  std::string request;
  jsonrpc::append_request(request, std::to_string(next.id), next.method, next.params_json);
  upstream::CallOptions options = upstream::options_for(next.method);
  options.for_source = true;
  options.attempt = next.attempt;
  options.head_preferred = next.block;
  options.head_min = head_min;
  options.id = std::to_string(next.id);
  options.composable = next.method == "eth_getBlockReceipts";
  if (next.method == "eth_getFilterChanges") options.member = filter_member_;
  nodes_.backend.call(std::move(request), std::move(options), [this, next](const upstream::Result& result) {
    if (!result && result.error().kind == upstream::FailureKind::shutdown) return;
    if (asks_others(next, result)) return call(next, source_.tip()->number);
    if (result && next.method == "eth_newPendingTransactionFilter") filter_member_ = result->member;
    take(next, result);
  });
}

// A node that has fewer blocks than before says nothing about the chain as long as another node has them.
bool ChainFollower::asks_others(const jsonrpc::UpstreamCall& call, const upstream::Result& result) const {
  if (nodes_.pool == nullptr || nodes_.pool->size() < 2 || !result || result->gave_way) return false;
  if (!asks_for_head(call) || source_.tip() == nullptr || result->member != head_member_) return false;
  const auto number = number_of(to_call_result(result));
  if (!number || *number >= source_.tip()->number) return false;
  nodes_.pool->head_seen(result->member, *number);
  return true;
}

void ChainFollower::take(const jsonrpc::UpstreamCall& call, const upstream::Result& result) {
  if (!needs_proof(call, result)) return take_believed(call, result);
  nodes_.pool->verify(result->member,
                      [this, alive = std::weak_ptr(alive_), call, result](const upstream::Failure* problem) {
                        if (alive.expired()) return;
                        take_believed(call, problem == nullptr ? result : std::unexpected(*problem));
                      });
}

// A block whose parent is the last announced one is of the same chain, as its hash shows. Any other block may
// be of another chain, to which a node was moved without any sign on the connection.
bool ChainFollower::needs_proof(const jsonrpc::UpstreamCall& call, const upstream::Result& result) const {
  const auto& tip = source_.tip();
  if (nodes_.pool == nullptr || !nodes_.pool->checks_chains() || !result || tip == nullptr ||
      !asks_for_block(call))
    return false;
  const jsonrpc::CallResult answer = to_call_result(result);
  const auto header = answer ? eth::parse_header(*answer) : std::unexpected(std::string());
  if (!header || header->number > tip->number + 1) return false;  // the blocks between show whether it links
  return header->parent_hash != tip->hash && !source_.shows(header->number, header->hash);
}

void ChainFollower::take_believed(const jsonrpc::UpstreamCall& call, const upstream::Result& result) {
  jsonrpc::CallResult answer = to_call_result(result);
  if (!learn_head(call, result, answer)) {
    answer =
        std::unexpected(jsonrpc::CallFailure{.message = "the node has fewer blocks than were announced"});
  }
  const std::uint64_t unusable_before = source_.chain_status().retries;
  const bool was_ours = source_.on_reply(call.id, answer, executor_.now());
  if (result && was_ours) judge(call, result->member, source_.chain_status().retries == unusable_before);
  pump();
}

// Runs before anyone is notified: calls made with this head in view must find the node that has it. False:
// the answer must not be used as the chain's head.
bool ChainFollower::learn_head(const jsonrpc::UpstreamCall& call, const upstream::Result& result,
                               const jsonrpc::CallResult& answer) {
  if (nodes_.pool == nullptr || !answer || !asks_for_block(call)) return true;
  const auto number = number_of(answer);
  if (!number) return true;
  if (!asks_for_head(call)) {
    nodes_.pool->block_seen(result->member, *number);
    return true;
  }
  nodes_.pool->head_seen(result->member, *number);
  // A head without a hint: hints have stopped, and polls must find heads again.
  if (hinted_ && *number > hinted_number_) set_hinted(false);
  if (!is_believed(*result, *number)) return false;
  if (callbacks_.shorter && source_.tip() != nullptr && *number < source_.tip()->number)
    callbacks_.shorter(*number);
  return true;
}

// A node that fell behind may be on an abandoned branch: following it would remove valid blocks. A shorter
// chain is accepted at once only from the node that the head came from, or from all nodes together.
bool ChainFollower::is_believed(const upstream::Reply& reply, std::uint64_t head) {
  const bool behind = source_.tip() != nullptr && head < source_.tip()->number;
  if (behind && reply.member != head_member_ && !reply.gave_way) {
    const Instant now = executor_.now();
    if (!doubted_since_) doubted_since_ = now;
    if (now - *doubted_since_ < stall_.stall_max) return false;
  }
  doubted_since_.reset();
  head_member_ = reply.member;
  return true;
}

// A node's answer is proved wrong when another node gives a usable answer to the same call.
void ChainFollower::judge(const jsonrpc::UpstreamCall& call, std::size_t member, bool of_use) {
  const bool asks_for_logs = call.method == "eth_getLogs" || call.method == "eth_getBlockReceipts";
  if (nodes_.pool == nullptr || nodes_.pool->size() < 2 || !asks_for_logs) return;
  // A block's logs are requested with several strategies.
  const std::string question = std::to_string(call.block);
  if (!of_use) {
    if (suspects_.size() >= kSuspectedCallsMax) suspects_.clear();
    suspects_[question].insert(member);
    return;
  }
  const auto found = suspects_.find(question);
  if (found == suspects_.end()) return;
  for (const std::size_t suspect : found->second) {
    if (suspect != member) nodes_.pool->disagreed(suspect);
  }
  suspects_.erase(found);
}

// --- a head that stands still ----------------------------------------------------------------------

void ChainFollower::watch_head() {
  if (nodes_.pool == nullptr || nodes_.pool->size() < 2 || source_.tip() == nullptr) return;
  if (source_.tip() == stall_tip_) return;
  stall_tip_ = source_.tip();
  const auto block_time = source_.block_time();
  stall_wait_ =
      std::clamp(block_time ? *block_time * 3 / 2 : stall_.stall_initial, stall_.stall_min, stall_.stall_max);
  arm_stall();
}

void ChainFollower::arm_stall() {
  executor_.cancel(stall_timer_);
  stall_timer_ = executor_.call_after(stall_wait_, [this] { head_is_late(); });
}

// The chain may just be slow: then no node has a newer block, and nodes are asked less and less often.
void ChainFollower::head_is_late() {
  stall_wait_ = std::min(stall_wait_ * 2, stall_.stall_max);
  arm_stall();
  nodes_.pool->head_stalled(stall_tip_->number, [this, late = stall_tip_] {
    if (source_.tip() != late) return;
    source_.restart_polling(executor_.now());
    pump();
  });
}

}  // namespace fanfare::gateway
