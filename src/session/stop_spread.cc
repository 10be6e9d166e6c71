#include "session/stop_spread.h"

#include <algorithm>
#include <future>
#include <utility>
#include <vector>

#include "session/loop_server.h"

namespace fanfare::session {
namespace {

// How soon it is noticed that the last sessions have ended by themselves.
constexpr Duration kPauseMax = std::chrono::milliseconds(100);
constexpr Duration kPauseMin = std::chrono::milliseconds(1);

}  // namespace

// Used on the loop's thread. Timers hold it; the loop ends before its server is destroyed.
class StopSpread::OfLoop : public std::enable_shared_from_this<StopSpread::OfLoop> {
 public:
  // `offset`, of the time from one session to the next: so the loops take turns.
  OfLoop(std::shared_ptr<StopSpread> whole, LoopServer& server, double offset)
      : whole_(std::move(whole)), server_(server), offset_(offset), begun_(server.loop().now()) {
    server_.stop_listening();
    server_.sessions().for_each_session([this](const Session& session) {
      if (session.is_open()) sessions_.push_back(session.id());
    });
  }

  void go_on() {
    const Instant now = server_.loop().now();
    // The first of all is due at once, and the last before the time has passed.
    while (next_ < sessions_.size() && (due(next_) <= now || find(next_) == nullptr)) {
      if (Session* const session = find(next_)) session->shut_down(whole_->code_, whole_->reason_);
      ++next_;
    }
    if (next_ == sessions_.size()) {
      if (whole_->loops_left_.fetch_sub(1) == 1) whole_->done_();
      return;
    }
    const Duration pause = std::clamp<Duration>(due(next_) - now, kPauseMin, kPauseMax);
    server_.loop().call_after(pause, [self = shared_from_this()] { self->go_on(); });
  }

 private:
  Instant due(std::size_t index) const {
    const double share = (static_cast<double>(index) + offset_) / static_cast<double>(sessions_.size());
    return begun_ +
           Duration(static_cast<Duration::rep>(static_cast<double>(whole_->spread_.count()) * share));
  }
  Session* find(std::size_t index) const {
    Session* const session = server_.sessions().find(sessions_[index]);
    return session != nullptr && session->is_open() ? session : nullptr;
  }

  const std::shared_ptr<StopSpread> whole_;
  LoopServer& server_;
  const double offset_;
  const Instant begun_;
  std::vector<SessionId> sessions_;
  std::size_t next_ = 0;
};

void StopSpread::start(Server& server, std::uint16_t code, std::string_view reason, Duration spread,
                       std::function<void()> done) {
  const auto whole = std::make_shared<StopSpread>(server.loop_count(), code, reason, spread, std::move(done));
  for (std::size_t i = 0; i < server.loop_count(); ++i) {
    const double offset = static_cast<double>(i) / static_cast<double>(server.loop_count());
    server.post(
        i, [whole, offset](LoopServer& loop) { std::make_shared<OfLoop>(whole, loop, offset)->go_on(); });
  }
}

void StopSpread::run(Server& server, std::uint16_t code, std::string_view reason, Duration spread,
                     Duration wait_max) {
  const auto done = std::make_shared<std::promise<void>>();  // a loop may hold it longer than this call
  start(server, code, reason, spread, [done] { done->set_value(); });
  done->get_future().wait_for(wait_max);
}

}  // namespace fanfare::session
