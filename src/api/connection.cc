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
    lane().subscribe_to(topic_, *this, ticket_);
  }
  virtual ~Subscription() { lane().unsubscribe_from(topic_, ticket_); }
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

Connection::Connection(session::ServerSession& engine, std::unique_ptr<Session> with_data) {
  handle_.behind_ = reinterpret_cast<std::uintptr_t>(&engine);
  if (with_data == nullptr) return;
  with_data->behind_ = reinterpret_cast<std::uintptr_t>(&rare()) | kRareBit;
  rare().with_data = std::move(with_data);
}

Connection::~Connection() {
  delete find_rare();
}

Lane& Connection::lane() {
  Lane* const here = Lane::current();
  FANFARE_CHECK(here != nullptr);
  return *here;
}

Connection::Rare& Connection::rare() {
  if (Rare* const there = find_rare()) return *there;
  auto made = std::make_unique<Rare>(engine());
  handle_.behind_ = reinterpret_cast<std::uintptr_t>(made.get()) | kRareBit;
  return *made.release();
}

void Connection::on_agreed(std::string_view subprotocol) {
  if (!subprotocol.empty()) rare().subprotocol = subprotocol;
}

Connection::Subscriptions::iterator Connection::find(Subscriptions& subscriptions, std::string_view topic) {
  return std::ranges::find_if(subscriptions, [topic](const auto& held) { return held->topic() == topic; });
}

void Connection::subscribe(std::string_view topic, TopicPolicy policy) {
  if (!engine().is_open()) return;
  Subscriptions& subscriptions = rare().subscriptions;
  if (const auto held = find(subscriptions, topic); held != subscriptions.end()) {
    return (*held)->set_policy(policy);
  }
  subscriptions.push_back(std::make_unique<Subscription>(*this, topic, policy));
}

bool Connection::unsubscribe(std::string_view topic) {
  Rare* const rare = find_rare();
  if (rare == nullptr) return false;
  const auto held = find(rare->subscriptions, topic);
  if (held == rare->subscriptions.end()) return false;
  rare->subscriptions.erase(held);
  return true;
}

void Connection::unsubscribe_all() {
  if (Rare* const rare = find_rare()) rare->subscriptions.clear();
}

bool Connection::send_waiting(const WebSocketRoute& route) {
  session::ServerSession& engine = this->engine();
  Rare* const rare = find_rare();
  if (rare == nullptr) return engine.is_open();
  Subscriptions& subscriptions = rare->subscriptions;
  for (std::size_t i = 0; i < subscriptions.size();) {
    if (!engine.is_open() || engine.is_congested()) return false;
    const auto next = subscriptions[i]->take();
    if (!next) {
      ++i;
      continue;
    }
    if (next->missed > 0) {
      // The handler may subscribe and unsubscribe as it likes, this topic, too.
      const std::string topic = subscriptions[i]->topic();
      route.lagged(handle(), topic, next->missed);
      i = 0;
    }
    engine.send_frame(next->frame);
  }
  return engine.is_open();
}

}  // namespace fanfare::api
