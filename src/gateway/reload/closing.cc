#include "gateway/reload/closing.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "session/loop_server.h"

namespace fanfare::gateway {
namespace {

// How soon it is noticed that the last sessions have ended.
constexpr Duration kClosingLook = std::chrono::milliseconds(100);

}  // namespace

// Used on the loop's thread. Timers hold it; the loop ends before its server is destroyed.
class Closing::OfLoop : public std::enable_shared_from_this<Closing::OfLoop> {
 public:
  // `offset`, of the time from one session to the next: so the loops take turns.
  OfLoop(std::shared_ptr<Closing> whole, session::LoopServer& server, std::size_t loop, double offset)
      : whole_(std::move(whole)),
        server_(server),
        loop_(loop),
        offset_(offset),
        begun_(server.loop().now()),
        ids_(open_ones()) {}

  void go_on() {
    if (!whole_->still_wanted_()) return;
    const Instant now = server_.loop().now();
    while (next_ < ids_.size() && due(next_) <= now) {
      session::Session* const session = server_.sessions().find(ids_[next_++]);
      if (session != nullptr && session->is_open()) session->shut_down(whole_->code_, whole_->reason_);
    }
    if (next_ == ids_.size() && ended()) {
      if (whole_->loops_left_.fetch_sub(1) == 1) whole_->done_();
      return;
    }
    const Duration pause = next_ < ids_.size() ? std::min(due(next_) - now, kClosingLook) : kClosingLook;
    server_.loop().call_after(pause, [self = shared_from_this()] { self->go_on(); });
  }

 private:
  Instant due(std::size_t index) const {
    const double share = (static_cast<double>(index) + offset_) / static_cast<double>(ids_.size());
    return begun_ +
           Duration(static_cast<Duration::rep>(static_cast<double>(whole_->spread_.count()) * share));
  }
  bool is_meant(const session::Session& session) const { return whole_->is_meant_(loop_, session); }
  std::vector<session::SessionId> open_ones() const {
    std::vector<session::SessionId> ids;
    server_.sessions().for_each_session([&](const session::Session& session) {
      if (is_meant(session) && session.is_open()) ids.push_back(session.id());
    });
    return ids;
  }
  // Late ones are closed at once.
  bool ended() const {
    bool any = false;
    server_.sessions().for_each_session([&](session::Session& session) {
      if (!is_meant(session)) return;
      any = true;
      if (session.is_open()) session.shut_down(whole_->code_, whole_->reason_);
    });
    return !any;
  }

  const std::shared_ptr<Closing> whole_;
  session::LoopServer& server_;
  const std::size_t loop_;
  const double offset_;
  const Instant begun_;
  const std::vector<session::SessionId> ids_;
  std::size_t next_ = 0;
};

void Closing::start(session::Server& server, IsMeant is_meant, std::uint16_t code, std::string_view reason,
                    Duration spread, StillWanted still_wanted, std::function<void()> done) {
  const std::size_t loops = server.loop_count();
  const auto whole = std::make_shared<Closing>(loops, std::move(is_meant), code, reason, spread,
                                               std::move(still_wanted), std::move(done));
  for (std::size_t i = 0; i < loops; ++i) {
    const double offset = static_cast<double>(i) / static_cast<double>(loops);
    server.post(i, [whole, i, offset](session::LoopServer& loop) {
      std::make_shared<OfLoop>(whole, loop, i, offset)->go_on();
    });
  }
}

}  // namespace fanfare::gateway
