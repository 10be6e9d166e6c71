#include "gateway/network.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "eth/hex.h"
#include "gateway/chain_hooks.h"
#include "gateway/dev_node.h"
#include "gateway/pool_options.h"
#include "gateway/shared_sessions.h"
#include "gateway/upstream_node.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"
#include "upstream/methods.h"
#include "upstream/receipts_node.h"

namespace fanfare::gateway {
namespace {

constexpr std::uint64_t kDevChainId = 1337;

std::string name_of(const NetworkPlan& plan) {
  return plan.project + "/" + (plan.chain_id ? std::to_string(*plan.chain_id) : "any");
}

eth::ChainSourceOptions source_options(const PollSettings& poll) {
  eth::ChainSourceOptions options;
  options.heads.poll_interval_min = poll.interval_min;
  options.heads.poll_interval_max = poll.interval_max;
  options.heads.window_blocks = static_cast<std::uint32_t>(poll.reorg_window_blocks);
  options.history.window_blocks = static_cast<std::uint32_t>(poll.resume_window_blocks);
  options.logs_warm_up = poll.logs_warm_up;
  return options;
}

// For /readyz: the nodes that are unused because they are on another chain. `pool` may be null.
std::string wrong_nodes(const upstream::Pool* pool) {
  std::string text;
  if (pool == nullptr) return text;
  for (const upstream::MemberStatus& member : pool->status()) {
    if (member.wrong_chain.empty()) continue;
    text.append(text.empty() ? "" : "; ").append(member.name).append(" is not used: ");
    text += member.wrong_chain;
  }
  return text;
}

}  // namespace

Network::Network(const NetworkPlan& plan, upstream::Worker& worker, NetworkMetrics& metrics,
                 upstream::Observer* observer, Publish publish)
    : plan_(plan),
      name_(name_of(plan)),
      worker_(worker),
      metrics_(metrics),
      observer_(observer),
      publish_(std::move(publish)),
      push_sources_(
          worker,
          {.head = [this](std::size_t member, std::string_view header) { follower_->hint(member, header); },
           .pending = [this](std::string_view hash) { follower_->saw_pending(hash); },
           .hint = [this](std::size_t member,
                          std::string_view header) { follower_->side_hint(member, header); },
           .hints_changed = [this](std::size_t member,
                                   bool live) { follower_->side_hints_changed(member, live); },
           .heads_lost = [this] { follower_->hints_lost(); },
           .pending_pushed = [this](bool pushed) { follower_->set_pending_pushed(pushed); },
           .flooding_changed = [this] { update_readiness(); },
           .is_trusted = [this](std::size_t member) { return pool_->is_trusted(member); }}),
      followed_(worker, {}),
      sessions_(std::make_shared<eth::MemoryResumeStore>(
          eth::ResumeLimits{}, system_clock(),
          [&metrics = metrics_](std::size_t live, const eth::ResumeCounters& since) {
            metrics.sessions_changed(live, since);
          })) {}

Network::~Network() {
  if (const auto* hooked = std::get_if<HookBackend>(&plan_.backend)) hooked->hooks->detach();
}

void Network::share_sessions(SharedSessions& shared) {
  shared_sessions_ = &shared;
  shared.add(sessions_);
}

void Network::prepare() {
  make_backend();
  reads_ = std::make_unique<SharedReads>(worker_, *backend_, metrics_, plan_.reads.cache_bytes_max, pool_);
  upstream::Backend& asked = source_backend_ != nullptr ? *source_backend_ : *backend_;
  follower_ = std::make_unique<ChainFollower>(
      worker_, ChainFollower::Nodes{.backend = asked, .pool = pool_}, source_options(plan_.poll), random_,
      ChainFollower::Callbacks{
          .events = [this](std::vector<eth::SourceEvent> events) { publish(std::move(events)); },
          .turn = [this] { update_readiness(); },
          .shorter = [this](std::uint64_t number) { reads_->chain_went_back(number); },
          .hints_useless = [this](std::size_t member) { push_sources_.give_up_hints(member); },
          .hints_use_changed = [this](std::size_t member,
                                      bool of_use) { hints_use_changed(member, of_use); }});
  reads_->on_shorter([this] { follower_->look_now(); });
  filters_ = std::make_unique<FilterCalls>(
      worker_, plan_.reads.filters, random_,
      FilterCalls::Source{
          .set_interest = [this](const eth::Interest& interest) { set_source_interest(0, interest); },
          .followed = [this](ReadyWaiters::Done done) { await_following(std::move(done)); },
          .await_pending =
              [this](ChainFollower::ListenDone done) {
                await_listening(eth::SubscriptionType::new_pending_transactions, std::move(done));
              },
          .count = [this](std::size_t live,
                          const eth::FilterCounters& since) { metrics_.filters_changed(live, since); }});
}

void Network::make_backend() {
  if (const auto* dev = std::get_if<DevBackend>(&plan_.backend)) {
    backend_ = std::make_unique<DevNode>(worker_, dev_options(*dev, plan_.chain_id.value_or(kDevChainId)));
  } else if (const auto* hooked = std::get_if<HookBackend>(&plan_.backend)) {
    backend_ = hooked->hooks->for_clients(worker_);
    source_backend_ = std::make_unique<upstream::ReceiptsNode>(worker_, hooked->hooks->for_source(worker_));
  } else {
    make_pool(std::get<UpstreamBackend>(plan_.backend));
  }
}

std::vector<std::unique_ptr<upstream::Backend>> Network::make_members(const UpstreamBackend& upstreams,
                                                                      upstream::Observer* observer,
                                                                      std::size_t first_member) {
  std::vector<std::unique_ptr<upstream::Backend>> members;
  for (const UpstreamPlan& upstream : upstreams) {
    UpstreamNode node = make_upstream_node(worker_, upstream, observer, received_);
    const std::size_t member = first_member + members.size();
    if (node.pushing != nullptr) push_sources_.add(*node.pushing, member);
    if (auto hints = hint_options(upstream, received_)) push_sources_.add_hints(*std::move(hints), member);
    members.push_back(std::make_unique<upstream::ReceiptsNode>(worker_, std::move(node.backend)));
  }
  return members;
}

void Network::hints_use_changed(std::size_t member, bool of_use) {
  push_sources_.set_hints_of_use(member, of_use);
  const std::size_t index = member - pool_->first_member();
  const auto names = pool_->status();
  if (observer_ != nullptr && index < names.size()) observer_->hints_changed(names[index].name, of_use);
}

std::string Network::hints_of(std::size_t index) const {
  return pool_ == nullptr ? std::string() : push_sources_.hints_of(pool_->first_member() + index);
}

upstream::PoolOptions Network::options_of(const NetworkPlan& plan) {
  upstream::PoolOptions options = pool_options(name_, std::get<UpstreamBackend>(plan.backend), plan.reads);
  options.chain = {.enabled = true,
                   .chain_id = plan.chain_id,
                   .every = plan.chain_check_every,
                   .learnt = [this](std::uint64_t chain_id) { learn_chain_id(chain_id); },
                   .standing_changed = [this] { chains_changed(); }};
  return options;
}

void Network::make_pool(const UpstreamBackend& upstreams) {
  auto pool = std::make_unique<upstream::Pool>(worker_, make_members(upstreams, observer_, 0),
                                               options_of(plan_), observer_);
  pool_ = pool.get();
  backend_ = std::move(pool);
}

void Network::use_nodes(const NetworkPlan& plan, upstream::Observer* observer) {
  if (worker_.stopping()) return;
  FANFARE_CHECK(pool_ != nullptr);
  push_sources_.replace();
  pool_->clear();
  pool_->replace(make_members(std::get<UpstreamBackend>(plan.backend), observer, pool_->first_member()),
                 options_of(plan), observer);
  push_sources_.listen();
  // Heads and transactions are polled until the new nodes push them.
  push_sources_.trust_changed();
  follower_->look_now();
}

void Network::leave_nodes() {
  if (worker_.stopping()) return;
  FANFARE_CHECK(pool_ != nullptr);
  push_sources_.replace();
  pool_->clear();
  reads_->forget();
  push_sources_.trust_changed();
}

void Network::start() {
  push_sources_.listen();
  if (const auto* hooked = std::get_if<HookBackend>(&plan_.backend)) {
    hooked->hooks->attach(worker_,
                          {.head = [this](std::string_view header) { follower_->hint(0, header); },
                           .pending = [this](std::string_view hash) { follower_->saw_pending(hash); }});
    follower_->set_pending_pushed(true);
    return follow();
  }
  // A pool determines its chain by itself.
  if (std::holds_alternative<DevBackend>(plan_.backend)) learn_chain_id(kDevChainId);
  follow();
}

void Network::learn_chain_id(std::uint64_t chain_id) {
  if (!plan_.chain_id && learnt_chain_id_) learnt_chain_id_(chain_id);
}

// Notifications pushed by a node count only while it is known to be on the network's chain.
void Network::chains_changed() {
  if (follower_ == nullptr || worker_.stopping()) return;
  push_sources_.trust_changed();
  // Answers of a node from before it was found on another chain may have been about that chain.
  if (!wrong_nodes(pool_).empty()) reads_->forget();
  update_readiness();
}

// For /readyz: the problems of single nodes, while others may work.
std::string Network::unused_nodes() const {
  std::string text = wrong_nodes(pool_);
  push_sources_.append_unused(text);
  return text;
}

void Network::follow() {
  following_ = true;
  follower_->start();
}

void Network::set_interest(std::size_t loop_index, const eth::Interest& interest) {
  set_source_interest(loop_index + 1, interest);
}

// The source sees the filters as one more loop, the first.
void Network::set_source_interest(std::size_t source_index, const eth::Interest& interest) {
  follower_->set_interest(source_index, interest);
  if (pending_wanted_.size() <= source_index) pending_wanted_.resize(source_index + 1);
  pending_wanted_[source_index] = interest.pending != eth::PendingWanted::nothing;
  push_sources_.want_pending(std::ranges::find(pending_wanted_, true) != pending_wanted_.end());
}

void Network::resume(const eth::Position& from, const eth::HistoryNeeds& needs, HistoryDone done) {
  follower_->resume(from, needs, std::move(done));
}

void Network::publish(std::vector<eth::SourceEvent> events) {
  count_source();  // first: who is told of a loss finds it counted
  for (const eth::SourceEvent& event : events) note(event);
  filters_->on_events(events);
  publish_(std::make_shared<const std::vector<eth::SourceEvent>>(std::move(events)));
}

// Logs and counts an event for the operator; the loops notify the subscribers.
void Network::note(const eth::SourceEvent& event) {
  std::visit(
      eth::Visitor{
          [this](const eth::Baseline& baseline) {
            learn_head(*baseline.header);
            log_.info("network_following", {{"network", name_}, {"head", baseline.header->number}});
          },
          [this](const eth::BlockAdded& added) {
            learn_head(*added.header);
            metrics_.heads.add();
          },
          [this](const eth::Reorg& reorg) { note_reorg(reorg); },
          [this](const eth::Gap& gap) {
            metrics_.gaps.add();
            log_.error("blocks_missed", {{"network", name_}, {"first", gap.first}, {"last", gap.last}});
          },
          [this](const eth::LogsMissing& missing) {
            metrics_.gaps.add();
            log_.error("logs_missed",
                       {{"network", name_}, {"block", missing.header->number}, {"reason", missing.why}});
          },
          [this](const eth::ReceiptsMissing& lost) {
            metrics_.gaps.add();
            log_.error("receipts_missed", {{"network", name_}, {"block", lost.header->number}});
          },
          [this](const eth::PendingMissed& pending) {
            metrics_.pending_gaps.add();
            log_.error("pending_transactions_missed", {{"network", name_},
                                                       {"bodies_only", pending.bodies_only},
                                                       {"reason", pending.why},
                                                       {"detail", pending.detail}});
          },
          eth::Ignores<eth::BlockLogsLate, eth::BlockRemoved, eth::PendingHash, eth::PendingBody,
                       eth::ReceiptsKnown, eth::FeedEvent>{}},
      event);
}

void Network::note_reorg(const eth::Reorg& reorg) {
  metrics_.reorgs.add();
  metrics_.reorged_blocks.add(reorg.depth);
  metrics_.reorg_depth_max.set(
      std::max(metrics_.reorg_depth_max.value(), static_cast<std::int64_t>(reorg.depth)));
  reads_->steady().chain_went_back(reorg.old_number - std::min(reorg.depth, reorg.old_number));
  if (reorg.other_genesis || reorg.depth > reorg.old_number) {
    reads_->forget();
  } else {
    reads_->chain_went_back(reorg.old_number - reorg.depth);
  }
  log_.warn("reorg", {{"network", name_},
                      {"depth", reorg.depth},
                      {"old_head", reorg.old_number},
                      {"new_head", reorg.new_number},
                      {"beyond_window", reorg.beyond_window},
                      {"other_genesis", reorg.other_genesis}});
}

void Network::learn_head(const eth::Header& header) {
  head_number_ = header.number;
  reads_->steady().head_announced(header.number);
  metrics_.head(header.number, header.timestamp_s, worker_.now());
}

void Network::count_source() {
  if (follower_ == nullptr) return;
  const auto& source = follower_->source();
  const auto count = [](auto& counter, std::uint64_t& counted, std::uint64_t now) {
    counter.add(now - std::exchange(counted, now));
  };
  count(metrics_.history_blocks, history_fetches_, source.history_status().blocks_fetched);
  count(metrics_.backfilled, backfilled_, source.head_status().backfilled);
  count(metrics_.pending_bodies_lost, bodies_lost_, source.pending_status().bodies_lost);
}

void Network::update_readiness() {
  count_source();
  if (!following_) return;
  const auto& status = follower_->source().head_status();
  std::string unused = unused_nodes();
  if (status.failures_in_a_row > 0) {
    set_readiness(false,
                  "its nodes do not say which block is the latest" + (unused.empty() ? "" : "; " + unused),
                  status.last_failure);
  } else if (follower_->source().tip() != nullptr) {
    set_readiness(true, std::move(unused));
  }
}

void Network::set_readiness(bool ready, std::string reason, std::string_view detail) {
  is_ready_ = ready;
  followed_.set_ready(ready);
  const std::lock_guard lock(readiness_mutex_);
  if (ready != readiness_.ready) {
    if (ready) {
      log_.info("network_ready", {{"network", name_}, {"head", head_number()}});
    } else {
      log_.warn("network_not_ready",
                {{"network", name_}, {"reason", reason}, {"detail", log::excerpt(detail, 256)}});
    }
  }
  readiness_ = {.ready = ready, .reason = std::move(reason)};
}

Network::Readiness Network::readiness() const {
  const std::lock_guard lock(readiness_mutex_);
  return readiness_;
}

bool Network::reserve_connection() {
  const std::size_t most = connections_max_.load(std::memory_order_relaxed);
  if (connections_.fetch_add(1, std::memory_order_relaxed) < most) return true;
  release_connection();
  return false;
}

}  // namespace fanfare::gateway
