#pragma once
// A model of NATS JetStream, as far as the relay uses it, and of the connections to it. docs/simulation.md has its contract.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/shared_bytes.h"
#include "fleet_time.h"
#include "relay/bucket.h"
#include "relay/link.h"
#include "relay/reader.h"

namespace fanfare::fleet {

// One direction of a connection: in order, with delays.
class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  void send(Task arrives);
  // What is in it stays in it.
  void set_blocked(bool is_blocked);
  bool is_blocked() const { return is_blocked_; }
  // What is in it is lost, all but the first ones.
  void cut(std::size_t kept = 0);
  std::size_t size() const { return waiting_.size(); }
  // Of each message from now on.
  Duration latency_max = 3ms;

 private:
  void plan();
  void run();

  struct Message {
    Instant at;
    Task arrives;
  };
  std::deque<Message> waiting_;
  Instant free_{};
  bool is_blocked_ = false;
  bool is_planned_ = false;
};

// Of an instance to the broker.
struct BrokerConnection {
  std::uint64_t number = 0;
  ProcessPtr process;
  std::shared_ptr<Pipe> up = std::make_shared<Pipe>();
  std::shared_ptr<Pipe> down = std::make_shared<Pipe>();
  bool is_open = true;             // at the broker
  std::set<std::string> subjects;  // that it has subscribed to, as the broker knows
  std::function<void(relay::Incoming, const std::string& subject)> deliver;  // at the instance
  std::function<void()> lost;                                                // the same
};
using ConnectionPtr = std::shared_ptr<BrokerConnection>;

class Broker {
 public:
  struct Stream {
    std::string name;
    std::string subject;
    std::uint64_t first = 1;
    std::uint64_t last = 0;
    std::uint64_t synced = 0;
    std::size_t kept_max = 0;
    struct Stored {
      std::string subject;
      SharedBytes payload;
      Instant at;
    };
    std::deque<Stored> kept;  // from `first`
    struct Known {
      std::uint64_t sequence;
      Instant at;
    };
    std::map<std::string, Known> ids;
    Instant away_until{};  // its leader
    Instant answers_free{};

    std::uint64_t epoch() const;
    const Stored& at(std::uint64_t sequence) const { return kept[sequence - first]; }
    relay::StreamState state() const;
  };

  Broker() = default;
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Empty: it cannot be reached.
  ConnectionPtr connect(const ProcessPtr& process);
  // The instance's end is closed.
  void close(const ConnectionPtr& connection);
  // Nothing passes between the process and the broker.
  void set_partitioned(const ProcessPtr& process, bool is_partitioned);
  bool is_partitioned(const ProcessPtr& process) const { return partitioned_.contains(process->number); }
  void reset(const ProcessPtr& process);
  void slow_down(const ProcessPtr& process, Duration latency_max);

  // It ends, with what was not written to disk or without, and comes back.
  void crash(bool loses_tail);
  void restart();
  bool is_up() const { return is_up_; }
  void sync();
  // A stream does not answer for a while.
  void send_leader_away(Duration time);
  bool can_lose_tail() const;

  // At the broker, called when a message of the connection arrives.
  void publish(const ConnectionPtr& from, const std::string& subject, const std::string& reply,
               const SharedBytes& payload, const std::map<std::string, std::string>& headers);
  Stream* find(const std::string& name);
  // False: there is one.
  bool create(const std::string& name, const std::string& subject, std::size_t kept_max);
  void set_subject(Stream& stream, const std::string& subject);
  // Empty: no such stream.
  std::optional<std::string> consume(const ConnectionPtr& from, const std::string& stream,
                                     std::uint64_t first, const std::string& deliver_to, Duration heartbeat);
  void unsubscribed(const ConnectionPtr& from, const std::string& subject);
  std::optional<relay::Bucket::Entry> get(const std::string& key) const;
  std::optional<std::uint64_t> put(const std::string& key, const std::string& value, std::uint64_t after);

  const std::map<std::string, Stream>& streams() const { return streams_; }
  // When it last lost leases.
  Instant bucket_lost_at() const { return bucket_lost_at_; }

  static constexpr Duration kDuplicatesFor = std::chrono::minutes(2);

 private:
  struct Consumer {
    std::string name;
    std::string stream;
    std::string deliver_to;
    ConnectionPtr connection;
    std::uint64_t next = 1;
    std::uint64_t sent = 0;  // counts what it was sent
    Duration heartbeat{};
    Instant sent_at{};
    bool is_planned = false;
  };
  struct Buckets {
    std::map<std::string, relay::Bucket::Entry> entries;
    std::uint64_t revision = 0;
  };

  void answer(const ConnectionPtr& to, const std::string& reply, relay::Incoming message);
  void acknowledge(Stream& stream, const ConnectionPtr& to, const std::string& reply,
                   const std::string& json);
  void pass_on(const std::string& notice);
  void get_directly(const ConnectionPtr& from, const std::string& stream, const std::string& reply,
                    const std::string& request);
  std::string store(Stream& stream, const SharedBytes& payload, const std::string& id);
  void plan(Consumer& consumer);
  void run(const std::string& name);
  void beat(const std::string& name);
  void deliver(Consumer& consumer, Stream& stream);
  void lose_tail(Stream& stream);

  bool is_up_ = true;
  std::map<std::string, Stream> streams_;
  std::map<std::string, Consumer> consumers_;
  std::vector<ConnectionPtr> connections_;
  std::set<std::uint64_t> partitioned_;  // processes
  Buckets bucket_;
  Buckets bucket_synced_;
  Instant bucket_lost_at_{};
  std::uint64_t last_connection_ = 0;
  std::uint64_t last_consumer_ = 0;
};

}  // namespace fanfare::fleet
