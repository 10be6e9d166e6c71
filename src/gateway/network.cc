#include "gateway/network.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "eth/hex.h"
#include "gateway/dev_node.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/http_endpoint.h"
#include "upstream/methods.h"

namespace fanfare::gateway {
namespace {

constexpr std::uint64_t kDevChainId = 1337;
constexpr Duration kRetryMax = std::chrono::seconds(5);

std::string name_of(const NetworkPlan& plan) {
  return plan.project + "/" + (plan.chain_id ? std::to_string(*plan.chain_id) : "any");
}

eth::CallFailure to_call_failure(const upstream::Failure& failure) {
  const bool timed_out = failure.kind == upstream::FailureKind::timeout;
  return {.kind = timed_out ? eth::CallFailure::Kind::timed_out : eth::CallFailure::Kind::unreachable,
          .code = 0,
          .message = failure.message};
}

}  // namespace

Network::Network(const NetworkPlan& plan, upstream::Worker& worker, NetworkMetrics& metrics,
                 upstream::Observer* observer, Publish publish)
    : plan_(plan),
      name_(name_of(plan)),
      worker_(worker),
      metrics_(metrics),
      observer_(observer),
      publish_(std::move(publish)) {
  eth::ChainSourceOptions options;
  options.heads.poll_interval_min = plan.poll.interval_min;
  options.heads.poll_interval_max = plan.poll.interval_max;
  options.heads.window_blocks = static_cast<std::uint32_t>(plan.poll.reorg_window_blocks);
  source_ = std::make_unique<eth::ChainSource>(options, random_);
}

Network::~Network() = default;

void Network::start() {
  if (const auto* dev = std::get_if<DevBackend>(&plan_.backend)) {
    backend_ = std::make_unique<DevNode>(worker_, dev_options(*dev, plan_.chain_id.value_or(kDevChainId)));
  } else {
    std::vector<std::unique_ptr<upstream::Backend>> members;
    for (const UpstreamPlan& upstream : std::get<UpstreamBackend>(plan_.backend)) {
      members.push_back(
          std::make_unique<upstream::HttpEndpoint>(worker_,
                                                   upstream::HttpOptions{.url = upstream.url,
                                                                         .name = upstream.id,
                                                                         .headers = upstream.headers,
                                                                         .timeout = upstream.timeout},
                                                   observer_));
    }
    auto pool = std::make_unique<upstream::Pool>(worker_, std::move(members),
                                                 upstream::PoolOptions{.name = name_}, observer_);
    pool_ = pool.get();
    backend_ = std::move(pool);
  }
  check_chain_id();
}

// A gateway in front of the wrong chain would give every client wrong answers with a straight face.
void Network::check_chain_id() {
  if (!plan_.chain_id) return follow();
  std::string request;
  jsonrpc::append_request(request, "1", "eth_chainId", "[]");
  backend_->call(std::move(request), upstream::options_for("eth_chainId"),
                 [this](upstream::Result result) { take_chain_id(std::move(result)); });
}

void Network::take_chain_id(upstream::Result result) {
  if (!result && result.error().kind == upstream::FailureKind::shutdown) return;
  std::string problem;
  if (!result) {
    problem = result.error().message;
  } else if (const auto answer = jsonrpc::split_response(result->body); !answer || answer->result.empty()) {
    problem = "eth_chainId was not answered";
  } else {
    const auto text = jsonrpc::string_value(answer->result);
    const auto chain_id = text ? eth::parse_quantity(*text) : std::nullopt;
    if (chain_id == plan_.chain_id) return follow();
    problem = "the upstream is on chain " +
              (chain_id ? std::to_string(*chain_id) : std::string(answer->result)) +
              ", the configuration says " + std::to_string(*plan_.chain_id);
    log::error("chain_id_mismatch", {{"network", name_}, {"problem", problem}});
  }
  set_readiness(false, problem);
  timer_ = worker_.call_after(retry_, [this] { check_chain_id(); });
  retry_ = std::min(retry_ * 2, kRetryMax);
}

void Network::follow() {
  following_ = true;
  source_->start(worker_.now());
  pump();
}

void Network::set_interest(std::size_t loop_index, const eth::Interest& interest) {
  if (interests_.size() <= loop_index) interests_.resize(loop_index + 1);
  interests_[loop_index] = interest;
  eth::Interest all;
  for (const eth::Interest& one : interests_) all = eth::merged(all, one);
  source_->set_interest(all, worker_.now());
  if (following_) pump();
}

void Network::pump() {
  for (const eth::UpstreamCall& next : source_->take_calls()) call(next);
  if (auto events = source_->take_events(); !events.empty()) {
    for (const eth::SourceEvent& event : events) note(event);
    publish_(std::make_shared<const std::vector<eth::SourceEvent>>(std::move(events)));
  }
  update_readiness();
  worker_.cancel(timer_);
  if (const auto due = source_->next_timer()) {
    timer_ = worker_.call_at(*due, [this] {
      source_->on_timer(worker_.now());
      pump();
    });
  }
}

namespace {

// The views of the result point into the reply.
eth::CallResult to_call_result(const upstream::Result& result) {
  if (!result) return std::unexpected(to_call_failure(result.error()));
  const auto answer = jsonrpc::split_response(result->body);
  if (!answer) return std::unexpected(eth::CallFailure{.message = "the answer is not JSON-RPC"});
  if (answer->error.empty()) return answer->result;
  const auto error = jsonrpc::read_error(answer->error);
  return std::unexpected(eth::CallFailure{.kind = eth::CallFailure::Kind::rejected,
                                          .code = static_cast<int>(error.code),
                                          .message = error.message});
}

}  // namespace

void Network::call(const eth::UpstreamCall& next) {
  std::string request;
  jsonrpc::append_request(request, std::to_string(next.id), next.method, next.params_json);
  backend_->call(std::move(request), upstream::options_for(next.method),
                 [this, id = next.id](upstream::Result result) {
                   if (!result && result.error().kind == upstream::FailureKind::shutdown) return;
                   if (result) answered_by_ = result->member;
                   source_->on_reply(id, to_call_result(result), worker_.now());
                   pump();
                 });
}

// What the operator is told of an event; the subscribers are told by their loops.
void Network::note(const eth::SourceEvent& event) {
  if (const auto* baseline = std::get_if<eth::Baseline>(&event)) {
    learn_head(*baseline->header);
    log::info("network_following", {{"network", name_}, {"head", baseline->header->number}});
  } else if (const auto* added = std::get_if<eth::BlockAdded>(&event)) {
    learn_head(*added->header);
    metrics_.heads.add();
  } else if (const auto* reorg = std::get_if<eth::Reorg>(&event)) {
    metrics_.reorgs.add();
    metrics_.reorged_blocks.add(reorg->depth);
    log::warn("reorg", {{"network", name_},
                        {"depth", reorg->depth},
                        {"old_head", reorg->old_number},
                        {"new_head", reorg->new_number},
                        {"beyond_window", reorg->beyond_window},
                        {"other_genesis", reorg->other_genesis}});
  } else if (const auto* gap = std::get_if<eth::Gap>(&event)) {
    metrics_.gaps.add();
    log::error("blocks_missed", {{"network", name_}, {"first", gap->first}, {"last", gap->last}});
  } else if (const auto* missing = std::get_if<eth::LogsMissing>(&event)) {
    metrics_.gaps.add();
    log::error("logs_missed",
               {{"network", name_}, {"block", missing->header->number}, {"reason", missing->why}});
  }
}

void Network::learn_head(const eth::Header& header) {
  head_number_ = header.number;
  // Before anyone is told: calls made with this head in view must find the node that has it.
  if (pool_ != nullptr) pool_->head_seen(answered_by_, header.number);
  metrics_.head(header.number, header.timestamp_s, worker_.now());
}

void Network::update_readiness() {
  const auto& status = source_->head_status();
  if (status.failures_in_a_row > 0) {
    set_readiness(false, status.last_failure);
  } else if (source_->tip() != nullptr) {
    set_readiness(true, "");
  }
}

void Network::set_readiness(bool ready, std::string reason) {
  const std::lock_guard lock(readiness_mutex_);
  if (ready != readiness_.ready) {
    if (ready) {
      log::info("network_ready", {{"network", name_}, {"head", head_number()}});
    } else {
      log::warn("network_not_ready", {{"network", name_}, {"reason", reason}});
    }
  }
  readiness_ = {.ready = ready, .reason = std::move(reason)};
}

Network::Readiness Network::readiness() const {
  const std::lock_guard lock(readiness_mutex_);
  return readiness_;
}

bool Network::reserve_connection() {
  if (connections_.fetch_add(1, std::memory_order_relaxed) < connections_max_) return true;
  release_connection();
  return false;
}

}  // namespace fanfare::gateway
