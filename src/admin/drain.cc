#include "admin/drain.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

#include "base/log.h"
#include "session/loop_server.h"
#include "session/session.h"
#include "ws/close_code.h"

namespace fanfare::admin {
namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds(1);
constexpr Duration kPauseMax = std::chrono::milliseconds(100);

}  // namespace

struct Drain::Run {
  std::string reason;
  Duration spread{};
  Instant begun;
  std::atomic<bool> is_over = false;  // end() was called
  std::atomic<std::uint64_t> closed = 0;
  std::atomic<std::uint64_t> open = 0;
  std::atomic<std::size_t> loops_left = 0;
};

// On its loop's thread; its timer holds it.
class Drain::OfLoop : public std::enable_shared_from_this<Drain::OfLoop> {
 public:
  OfLoop(std::shared_ptr<Run> run, session::LoopServer& server)
      : run_(std::move(run)), server_(server), begun_(server.loop().now()) {
    server_.sessions().for_each_session([this](const session::Session& session) {
      if (session.is_open()) sessions_.push_back(session.id());
    });
    run_->open += sessions_.size();
  }

  void go_on() {
    if (run_->is_over) return;
    const Instant now = server_.loop().now();
    for (; next_ < sessions_.size() && due(next_) <= now; ++next_) {
      session::Session* const session = server_.sessions().find(sessions_[next_]);
      --run_->open;
      if (session == nullptr || !session->is_open()) continue;
      session->shut_down(ws::close_code::service_restart, run_->reason);
      ++run_->closed;
    }
    if (next_ == sessions_.size()) {
      --run_->loops_left;
      return;
    }
    server_.loop().call_after(std::clamp<Duration>(due(next_) - now, kPauseMin, kPauseMax),
                              [self = shared_from_this()] { self->go_on(); });
  }

 private:
  Instant due(std::size_t index) const {
    const double share = static_cast<double>(index) / static_cast<double>(sessions_.size());
    return begun_ + Duration(static_cast<Duration::rep>(static_cast<double>(run_->spread.count()) * share));
  }

  const std::shared_ptr<Run> run_;
  session::LoopServer& server_;
  const Instant begun_;
  std::vector<session::SessionId> sessions_;
  std::size_t next_ = 0;
};

std::string_view to_string(DrainStatus::State state) {
  switch (state) {
    case DrainStatus::State::off:
      return "off";
    case DrainStatus::State::draining:
      return "draining";
    case DrainStatus::State::drained:
      return "drained";
  }
  return "off";
}

bool Drain::begin(Duration spread, std::string_view reason) {
  session::Server& server = subject_.server();
  const auto run = std::make_shared<Run>();
  run->reason = reason;
  run->spread = spread;
  run->begun = clock_.now();
  run->loops_left = server.loop_count();
  {
    const std::scoped_lock lock(mutex_);
    if (run_ != nullptr) return false;
    run_ = run;
    // With the lock held, so that it agrees with run_.
    subject_.set_draining(true);
  }
  log::warn("drain_begun",
            {{"spread_ms", std::chrono::duration_cast<std::chrono::milliseconds>(spread).count()},
             {"connections", server.gate().connections()}});
  for (std::size_t i = 0; i < server.loop_count(); ++i) {
    server.post(i, [run](session::LoopServer& loop) { std::make_shared<OfLoop>(run, loop)->go_on(); });
  }
  return true;
}

bool Drain::end() {
  const std::scoped_lock lock(mutex_);
  if (run_ == nullptr) return false;
  run_->is_over = true;
  run_.reset();
  subject_.set_draining(false);
  log::warn("drain_ended");
  return true;
}

DrainStatus Drain::status() const {
  const std::scoped_lock lock(mutex_);
  if (run_ == nullptr) return {};
  return {.state = run_->loops_left == 0 ? DrainStatus::State::drained : DrainStatus::State::draining,
          .since_s = std::chrono::duration<double>(clock_.now() - run_->begun).count(),
          .spread_s = std::chrono::duration<double>(run_->spread).count(),
          .closed = run_->closed,
          .open = run_->open};
}

}  // namespace fanfare::admin
