#include "fleet_chain.h"

#include <utility>

#include "fleet_world.h"
#include "ws/close_code.h"

namespace fanfare::fleet {
namespace {

// No limit is near: then a subscriber with a cursor misses nothing.
eth::ChainSourceOptions options() {
  eth::ChainSourceOptions made;
  made.heads.stuck_rounds_max = 1'000'000;
  made.heads.stale_polls_max = 1'000'000;
  made.chain.logs_attempts_max = 1'000'000;
  made.chain.logs_wait_max = std::chrono::hours(24 * 365);
  made.history.attempts_max = 1'000'000;
  made.history.branch_attempts_max = 1'000'000;
  made.history.waits_ahead = true;
  return made;
}

}  // namespace

// --- on a loop -----------------------------------------------------------------------------------------

ChainLoop::ChainLoop(ChainSide& side, std::size_t index, Thread& thread)
    : side_(side),
      index_(index),
      thread_(thread),
      manager_({.network = "main/1", .types = eth::kAllSubscriptionTypes}, topics_,
               [](std::string_view text) { return SharedBytes(as_bytes(text)); }) {}

void ChainLoop::take(const std::vector<eth::SourceEvent>& events) {
  for (const eth::SourceEvent& event : events) {
    manager_.publish(event);
    take_aftermath();
  }
}

void ChainLoop::take_aftermath() {
  const eth::SubscriptionManager::Aftermath aftermath = manager_.take_aftermath();
  for (const auto& missing : aftermath.missing) ask(missing);
  for (const auto& closing : aftermath.closing) {
    for (const eth::ConnectionKey key : closing.connections) close(key);
  }
}

void ChainLoop::ask(eth::SubscriptionManager::Missing missing) {
  side_.resume(*this, std::move(missing));
}

void ChainLoop::replay(const eth::SubscriptionManager::Missing& missing, const eth::HistoryBatchPtr& batch) {
  if (auto next = manager_.replay(missing.connection, missing.id, batch)) ask(*std::move(next));
  take_aftermath();
}

void ChainLoop::interest_changed() {
  side_.set_interest(index_, manager_.interest());
}

// --- on the worker's thread ----------------------------------------------------------------------------

ChainSide::ChainSide(gateway::simulated::World& chain, upstream::Executor& worker, Random& random)
    : chain_(chain), worker_(worker), node_("node", chain, worker, random) {
  follower_ = std::make_unique<gateway::ChainFollower>(
      worker, gateway::ChainFollower::Nodes{.backend = node_}, options(), random,
      gateway::ChainFollower::Callbacks{
          .events =
              [this](std::vector<eth::SourceEvent> events) {
                const auto shared = std::make_shared<const std::vector<eth::SourceEvent>>(std::move(events));
                for (ChainLoop* const loop : loops_) {
                  loop->thread().post([loop, shared] { loop->take(*shared); });
                }
              },
          .turn = {}});
}

void ChainSide::start(std::vector<ChainLoop*> loops) {
  loops_ = std::move(loops);
  worker_.post([this] { follower_->start(); });
}

void ChainSide::set_interest(std::size_t loop, const eth::Interest& interest) {
  worker_.post([this, loop, interest] { follower_->set_interest(loop, interest); });
}

void ChainSide::resume(ChainLoop& loop, eth::SubscriptionManager::Missing missing) {
  worker_.post([this, &loop, missing = std::move(missing)] {
    follower_->resume(missing.from, missing.needs, [&loop, missing](const eth::HistoryBatchPtr& batch) {
      loop.thread().post([&loop, missing, batch] { loop.replay(missing, batch); });
    });
  });
}

void ChainSide::see_head() {
  worker_.post([this] { node_.see(chain_.head()); });
}

void ChainSide::set_faults(std::uint32_t per_mille) {
  using gateway::simulated::Fault;
  for (const Fault fault : {Fault::half_open, Fault::refused, Fault::dropped, Fault::bad_gateway,
                            Fault::not_json, Fault::error_object, Fault::null_result}) {
    node_.set_fault(fault, per_mille);
  }
}

// --- a client ------------------------------------------------------------------------------------------

ChainSession::~ChainSession() {
  loop_.manager().drop(wire().number());
}

void ChainSession::begin() {
  const auto id = loop_.manager().subscribe(wire().number(), *this, params_);
  if (!id) {
    world().fail(line("a subscription was refused: ", id.error().message));
    return;
  }
  loop_.interest_changed();
  if (auto missing = loop_.manager().activate(wire().number(), *id)) loop_.ask(*std::move(missing));
}

void ChainSession::drained() {
  for (auto& missing : loop_.manager().drained(wire().number())) loop_.ask(std::move(missing));
}

bool ChainSession::deliver(const SharedBytes& frame) {
  if (world().planted == Planted::cursor_skips && !std::exchange(has_skipped_, true)) return true;
  wire().tell({.kind = Told::Kind::text, .text = std::string(as_text(frame.view()))});
  return wire().is_open();
}

}  // namespace fanfare::fleet
