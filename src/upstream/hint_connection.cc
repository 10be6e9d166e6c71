#include "upstream/hint_connection.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "upstream/url.h"

namespace fanfare::upstream {
namespace {

// The maximum length of a reason, which may contain text from the peer.
constexpr std::size_t kWhyBytes = 200;
// Nothing but heads is asked for.
constexpr std::size_t kCallsMax = 1;

std::string in_seconds(Duration wait) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count()) + " s";
}

}  // namespace

std::string websocket_url_of(std::string_view http_url) {
  FANFARE_CHECK(http_url.starts_with("http"));
  return "ws" + std::string(http_url.substr(4));
}

HintConnection::HintConnection(Executor& executor, HintOptions options, Callbacks callbacks)
    : executor_(executor),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      websocket_url_(websocket_url_of(options_.url)) {
  if (options_.name.empty()) options_.name = redacted(options_.url);
  executor_.run([this] { timer_ = executor_.call_at(executor_.now(), [this] { attempt(); }); });
}

HintConnection::~HintConnection() {
  executor_.run([this] {
    executor_.cancel(timer_);
    node_.reset();
    for (LogLimiter* limiter : {&found_, &not_found_, &lost_}) limiter->flush();
  });
}

void HintConnection::attempt() {
  state_ = State::trying;
  node_ = std::make_unique<WebSocketNode>(executor_,
                                          WebSocketOptions{.url = websocket_url_,
                                                           .name = options_.name,
                                                           .headers = options_.headers,
                                                           .connect_timeout = options_.answer_timeout,
                                                           .calls_max = kCallsMax,
                                                           .response_bytes_max = options_.message_bytes_max,
                                                           .outbox_bytes_max = options_.outbox_bytes_max,
                                                           .deflate = false,
                                                           .received = options_.received,
                                                           .inbox = options_.inbox,
                                                           .ca_file = options_.ca_file,
                                                           .only_once = true,
                                                           .loop_kind = options_.loop_kind});
  node_->set_watcher(
      {.changed =
           [this](NodeTopic, bool live) {
             if (live) subscribed();
           },
       .event =
           [this](NodeTopic, std::string_view header) {
             if (state_ == State::live) callbacks_.head(header);
           },
       .refused =
           [this](NodeTopic, std::string_view why) {
             end("it does not offer newHeads: " + log::excerpt(why, kWhyBytes), wait_after(false));
           },
       .lost = [this](std::string_view why, bool unreachable) { end(why, wait_after(unreachable)); }});
  node_->watch(NodeTopic::new_heads, true);
  timer_ = executor_.call_after(options_.answer_timeout, [this] {
    end("no answer within " + in_seconds(options_.answer_timeout), wait_after(false));
  });
}

void HintConnection::subscribed() {
  if (state_ != State::trying) return;
  executor_.cancel(timer_);
  state_ = State::live;
  live_at_ = executor_.now();
  is_of_use_ = was_of_use_ = false;
  is_absence_logged_ = false;
  found_.write({{"endpoint", name()}, {"announces_blocks_at", redacted(websocket_url_)}});
  callbacks_.changed(true);
}

void HintConnection::set_of_use(bool of_use) {
  is_of_use_ = of_use;
  was_of_use_ = was_of_use_ || of_use;
}

void HintConnection::give_up(std::string_view why) {
  if (state_ != State::live) return;
  is_proven_ = false;
  end(why, options_.wait_max);
}

Duration HintConnection::wait_after(bool unreachable) {
  const bool was_live = state_ == State::live;
  const bool was_stable = was_live && executor_.now() - live_at_ >= options_.stable_after;
  if (was_live) is_proven_ = was_stable;
  if (was_stable) return options_.wait_stable;
  // A node that is being restarted will be back.
  const Duration most = is_proven_ || unreachable ? options_.wait_absent_max : options_.wait_max;
  return std::min(std::max(2 * wait_, options_.wait_min), most);
}

// The node is on the stack below, so it is destroyed in the next turn.
void HintConnection::end(std::string_view why, Duration wait) {
  if (state_ != State::trying && state_ != State::live) return;
  const bool was_live = std::exchange(state_, State::ended) == State::live;
  why_ = log::excerpt(why, kWhyBytes);
  wait_ = wait;
  log_end(was_live);
  executor_.cancel(timer_);
  timer_ = executor_.call_at(executor_.now(), [this] { close(); });
  if (was_live) callbacks_.changed(false);
}

void HintConnection::close() {
  node_.reset();
  state_ = State::waiting;
  // Endpoints that a restart closed together are not tried together.
  const auto spread = static_cast<std::uint64_t>(wait_.count()) / 4 + 1;
  const auto wait = wait_ + Duration(static_cast<Duration::rep>(random_.below(spread)));
  timer_ = executor_.call_after(wait, [this] { attempt(); });
}

void HintConnection::log_end(bool was_live) {
  if (!was_live && std::exchange(is_absence_logged_, true)) return;
  LogLimiter& line = was_live ? lost_ : not_found_;
  if (was_live) is_absence_logged_ = true;  // "lost" says it
  line.write({{"endpoint", name()},
              {"reason", why_},
              {"next_attempt_in", in_seconds(wait_)},
              {"heads_are", "polled over HTTP"}});
}

std::string HintConnection::description() const {
  switch (state_) {
    case State::live:
      if (is_of_use_) return "live";
      return was_of_use_ ? "silent: polls find the blocks before it announces them"
                         : "silent: it has not announced a new block yet";
    case State::trying:
      return why_.empty() ? "trying" : "none: " + why_;
    case State::ended:
    case State::waiting:
      return "none: " + why_;
  }
  return {};
}

}  // namespace fanfare::upstream
