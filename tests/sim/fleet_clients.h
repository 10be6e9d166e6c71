#pragma once
// The clients: each has one subscription, goes on with its position at any instance, and checks every message.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eth/log_filter.h"
#include "fanfare/topic.h"
#include "fleet_instance.h"
#include "fleet_session.h"
#include "gateway/world_for_tests.h"

namespace fanfare::fleet {

class Client {
 public:
  Client(std::string name, Duration pace) : name_(std::move(name)), pace_(pace) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  virtual ~Client() = default;

  const std::string& name() const { return name_; }
  // Of reading a message.
  Duration pace() const { return is_hurried ? 1ms : pace_; }
  bool is_hurried = false;  // at the end
  bool is_connected() const { return wire_ != nullptr; }
  // Tries to reach an instance, now and then again.
  void connect();
  // Leaves at once; it comes back after a while.
  void cut();
  void read(const Wire& wire, const Told& told);
  // In quiet: what it does not have. Empty: it has everything.
  virtual std::string lacks() const = 0;
  void fail(const std::string& what) const;

 protected:
  // At the instance's end.
  virtual std::unique_ptr<Session> make_session(Instance::Loop& loop, std::shared_ptr<Wire> wire) = 0;
  virtual void take(const Told& told) = 0;
  void say(const std::string& what) const;

 private:
  void reach(Instance& instance);
  void come_back(Duration in);

  const std::string name_;
  const Duration pace_;
  std::shared_ptr<Wire> wire_;
  bool is_trying_ = false;
};

// Of events with positions: a topic of the program, or a stream.
class PositionedClient : public Client {
 public:
  PositionedClient(std::string name, Duration pace, std::string topic)
      : Client(std::move(name), pace), topic_(std::move(topic)), may_drop_(may_drop(topic_)) {}
  std::string lacks() const override;

 protected:
  const std::string& topic() const { return topic_; }
  const std::optional<Position>& at() const { return at_; }
  // The answer to a subscription. Empty position: nobody knows yet where it begins. `is_exact`: otherwise it begins there or later,
  // if no position was asked for.
  void begin(std::optional<Position> position, bool recovered, const std::optional<Missed>& missed,
             bool is_exact);
  void step_to(Position position);
  void miss(const Missed& missed);
  void ask(std::optional<Position> since) { asked_ = since; }

 private:
  const std::string topic_;
  const bool may_drop_;
  std::optional<Position> at_;     // of the last event that it has, or was told to miss
  std::optional<Position> asked_;  // with which the present subscription began
  bool is_certain_ = false;        // the next event is directly behind at_
};

class TopicClient final : public PositionedClient {
 public:
  using PositionedClient::PositionedClient;

 private:
  std::unique_ptr<Session> make_session(Instance::Loop& loop, std::shared_ptr<Wire> wire) override;
  void take(const Told& told) override;
};

class StreamClient final : public PositionedClient {
 public:
  StreamClient(std::string name, Duration pace, std::string stream, bool delta)
      : PositionedClient(std::move(name), pace, streams::topic_of(stream)),
        stream_(std::move(stream)),
        delta_(delta) {}

 private:
  std::unique_ptr<Session> make_session(Instance::Loop& loop, std::shared_ptr<Wire> wire) override;
  void take(const Told& told) override;
  void take_notice(std::string_view json);
  void take_value(std::string_view json);

  const std::string stream_;
  const bool delta_;
  std::optional<streams::Json> value_;  // for patches
};

class ChainClient final : public Client {
 public:
  // It begins behind the chain's head of now. `filter`: of logs; empty: heads.
  ChainClient(std::string name, Duration pace, const gateway::simulated::World& chain, std::string filter);
  std::string lacks() const override;
  std::size_t results() const { return results_.size(); }

 private:
  std::unique_ptr<Session> make_session(Instance::Loop& loop, std::shared_ptr<Wire> wire) override;
  void take(const Told& told) override;

  const gateway::simulated::World& chain_;
  const std::string filter_;
  const std::uint64_t first_;
  const eth::Hash256 first_hash_;
  std::string cursor_;
  std::vector<std::string> results_;
};

}  // namespace fanfare::fleet
