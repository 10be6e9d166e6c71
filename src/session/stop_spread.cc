#include "session/stop_spread.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "session/http_connection.h"
#include "session/loop_server.h"

namespace fanfare::session {
namespace {

// How soon it is noticed that the last sessions have ended by themselves.
constexpr Duration kPauseMax = std::chrono::milliseconds(100);
constexpr Duration kAnswerPause = std::chrono::milliseconds(5);
constexpr Duration kPauseMin = std::chrono::milliseconds(1);

}  // namespace

// Used on the loop's thread. Timers hold it; the loop ends before its server is destroyed.
class StopSpread::OfLoop : public std::enable_shared_from_this<StopSpread::OfLoop> {
 public:
  // `offset`, of the time from one session to the next: so the loops take turns.
  OfLoop(std::shared_ptr<StopSpread> whole, LoopServer& server, double offset)
      : whole_(std::move(whole)), server_(server), offset_(offset), begun_(server.loop().now()) {
    server_.stop_listening();
    server_.sessions().end_http_after_responses(true);
    server_.sessions().for_each_member([this](Member& member) {
      if (is_open(member)) members_.push_back(member.id());
    });
  }

  void go_on() {
    const Instant now = server_.loop().now();
    // The first of all is due at once, and the last before the time has passed.
    while (next_ < members_.size() && (due(next_) <= now || find(members_[next_]) == nullptr)) {
      if (Member* const member = find(members_[next_])) close_or_wait(*member, now);
      ++next_;
    }
    std::erase_if(waiting_, [&](const Waiting& one) { return is_done(one, now); });
    const bool all_had_their_turn = next_ == members_.size();
    if (all_had_their_turn && waiting_.empty() && !is_at_work(now)) return end();
    Duration pause = waiting_.empty() && !all_had_their_turn ? kPauseMax : kAnswerPause;
    if (!all_had_their_turn) pause = std::clamp<Duration>(due(next_) - now, kPauseMin, pause);
    server_.loop().call_after(pause, [self = shared_from_this()] { self->go_on(); });
  }

 private:
  struct Waiting {
    SessionId id;
    Instant until;
  };

  void end() {
    if (whole_->loops_left_.fetch_sub(1) == 1) whole_->done_();
  }
  // The WebSockets that were opened meanwhile, over connections from before, are closed on the way.
  bool is_at_work(Instant now) {
    if (is_last_since_ == Instant{}) is_last_since_ = now;
    const bool has_time = now - is_last_since_ < kAnswersWait;
    const std::uint32_t now_ms = server_.sessions().now_ms();
    bool found = false;
    server_.sessions().for_each_member([&](Member& member) {
      if (SessionTable::as_session(member) != nullptr && is_open(member)) close_or_wait(member, now);
      found = found || (has_time && member.is_at_work(now_ms));
    });
    return found || !waiting_.empty();
  }
  static bool is_open(Member& member) {
    if (const Session* const session = SessionTable::as_session(member)) return session->is_open();
    const HttpConnection* const http = SessionTable::as_http(member);
    return http != nullptr && http->is_streaming();
  }
  static bool is_answering(Member& member) {
    const Session* const session = SessionTable::as_session(member);
    return session != nullptr && session->endpoint().is_answering(*session);
  }
  void close_or_wait(Member& member, Instant now) {
    if (is_answering(member)) {
      waiting_.push_back({.id = member.id(), .until = now + kAnswersWait});
    } else {
      member.shut_down(whole_->code_, whole_->reason_);
    }
  }
  bool is_done(const Waiting& one, Instant now) const {
    Member* const member = find(one.id);
    if (member == nullptr) return true;
    if (is_answering(*member) && now < one.until) return false;
    member->shut_down(whole_->code_, whole_->reason_);
    return true;
  }
  Instant due(std::size_t index) const {
    const double share = (static_cast<double>(index) + offset_) / static_cast<double>(members_.size());
    return begun_ +
           Duration(static_cast<Duration::rep>(static_cast<double>(whole_->spread_.count()) * share));
  }
  Member* find(SessionId id) const {
    Member* member = server_.sessions().find(id);
    if (member == nullptr) member = server_.sessions().find_http(id);
    return member != nullptr && is_open(*member) ? member : nullptr;
  }

  const std::shared_ptr<StopSpread> whole_;
  LoopServer& server_;
  const double offset_;
  const Instant begun_;
  std::vector<SessionId> members_;
  std::vector<Waiting> waiting_;  // for answers to it
  std::size_t next_ = 0;
  Instant is_last_since_{};  // all had their turn
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

}  // namespace fanfare::session
