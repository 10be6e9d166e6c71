#include "api/connection.h"

#include <algorithm>
#include <utility>

#include "api/lane.h"
#include "base/check.h"

namespace fanfare::api {

class Connection::Subscription final : public pubsub::Subscriber {
 public:
  Subscription(Connection& connection, std::string_view topic, TopicPolicy policy)
      : connection_(connection), topic_(topic) {
    set_policy(policy);
    connection_.lane().subscribe_to(topic_, *this, ticket_);
  }
  virtual ~Subscription() { connection_.lane().unsubscribe_from(topic_, ticket_); }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  void set_policy(TopicPolicy policy) {
    // Frames that wait already keep waiting: under close they would have been sent or have ended the session.
    if (policy.when_full == WhenFull::close) {
      if (backlog_ == nullptr || backlog_->empty()) backlog_.reset();
      return;
    }
    const std::size_t frames_max =
        policy.when_full == WhenFull::keep_latest ? 1 : std::max<std::size_t>(1, policy.waiting_max);
    if (backlog_ == nullptr) {
      backlog_ = std::make_unique<pubsub::Backlog>(frames_max);
    } else {
      backlog_->set_frames_max(frames_max);
    }
  }

  bool deliver(const SharedBytes& frame) override {
    session::ServerSession& engine = connection_.engine();
    if (!engine.is_open()) return false;
    if (backlog_ != nullptr && (!backlog_->empty() || engine.is_congested())) {
      backlog_->add(frame);
      return true;
    }
    return engine.send_frame(frame) != session::SendResult::closed;
  }

  std::optional<pubsub::Backlog::Next> take() {
    return backlog_ == nullptr ? std::nullopt : backlog_->take();
  }

  const std::string& topic() const { return topic_; }

 private:
  Connection& connection_;
  std::string topic_;
  pubsub::Ticket ticket_;
  std::unique_ptr<pubsub::Backlog> backlog_;  // null: WhenFull::close
};

Connection::Connection(Lane& lane, session::ServerSession& engine, std::unique_ptr<Session> handle)
    : lane_(lane), engine_(engine), handle_(std::move(handle)) {
  handle_->connection_ = this;
}

Connection::~Connection() = default;

Connection& Connection::of(const Session& handle) {
  FANFARE_CHECK(handle.connection_ != nullptr);
  return *handle.connection_;
}

std::vector<std::unique_ptr<Connection::Subscription>>::iterator Connection::find(std::string_view topic) {
  return std::ranges::find_if(subscriptions_, [topic](const auto& held) { return held->topic() == topic; });
}

void Connection::subscribe(std::string_view topic, TopicPolicy policy) {
  if (!engine_.is_open()) return;
  if (const auto held = find(topic); held != subscriptions_.end()) return (*held)->set_policy(policy);
  subscriptions_.push_back(std::make_unique<Subscription>(*this, topic, policy));
}

bool Connection::unsubscribe(std::string_view topic) {
  const auto held = find(topic);
  if (held == subscriptions_.end()) return false;
  subscriptions_.erase(held);
  return true;
}

void Connection::unsubscribe_all() {
  subscriptions_.clear();
}

bool Connection::send_waiting(const WebSocketRoute& route) {
  for (std::size_t i = 0; i < subscriptions_.size();) {
    if (!engine_.is_open() || engine_.is_congested()) return false;
    const auto next = subscriptions_[i]->take();
    if (!next) {
      ++i;
      continue;
    }
    if (next->missed > 0) {
      // The handler may subscribe and unsubscribe as it likes, this topic, too.
      const std::string topic = subscriptions_[i]->topic();
      route.lagged(*handle_, topic, next->missed);
      i = 0;
    }
    engine_.send_frame(next->frame);
  }
  return engine_.is_open();
}

}  // namespace fanfare::api
