#pragma once
// RecordBroker on NATS JetStream. One thread does everything; the library's threads only put messages into its queue.
//
//   stream    NAME_WHAT            one message for each subject; full: the broker refuses new ones and keeps the others
//   subject   NAME_WHAT.k.KEY      a record. Its sequence is its revision (Nats-Expected-Last-Subject-Sequence)
//   subject   NAME_WHAT.ask.ID     core NATS: questions to this instance; "no responders" says at once that it is gone
//
// All instances create the stream with the same subjects, which the broker compares under its lock; so there is one (decision 0570).
// Records are read from the stream's leader: a follower may not have the last one yet.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "fanfare/nats.h"
#include "relay/connect_plan.h"
#include "relay/known_streams.h"
#include "relay/link.h"
#include "relay/record_broker.h"
#include "relay/relay_log.h"

namespace fanfare::relay {

struct RecordOptions {
  std::string what;                                  // names the stream
  std::chrono::milliseconds age_max{};               // a record that is not written for so long is gone
  std::uint64_t bytes_max = std::uint64_t{1} << 30;  // of all records; beyond it nothing is stored
};

class Records final : public RecordBroker {
 public:
  // problem_with(options) is empty. `instance` is unique.
  Records(NatsOptions options, RecordOptions records, std::uint64_t instance);
  ~Records() override;

  // Once; the user outlives the stop. Keeps trying to connect. If that is impossible (a file cannot be read), it stays down.
  void start(RecordUser& user);
  // No call to the user is under way when it returns, and none follows. Any thread but its own.
  void stop();

  bool is_up() const override { return is_up_.load(std::memory_order_relaxed); }
  void get(const std::string& key, Got done) override;
  void put(const std::string& key, std::string value, std::uint64_t after, Done done) override;
  void ask(std::uint64_t instance, std::string question, Answered done) override;
  void post(UniqueFunction<void()> task) override;
  std::size_t bytes_max() const override { return bytes_max_.load(std::memory_order_relaxed); }
  void want_larger() override { link_.want_larger_payloads(); }

  static constexpr Duration kTick = std::chrono::milliseconds(20);
  static constexpr Duration kAnswerWait = std::chrono::seconds(2);  // for the broker
  static constexpr Duration kAskWait = std::chrono::seconds(1);     // for another instance
  static constexpr Duration kOpenRetry = std::chrono::milliseconds(500);
  // Questions of others that wait; the library keeps what comes beyond it.
  static constexpr std::size_t kQueueMax = 8192;

 private:
  struct Connection {
    bool is_up;
  };
  struct Closed {};
  using Work = UniqueFunction<void()>;
  using Task = std::variant<Work, Connection, Closed, LinkProblem, Incoming>;
  struct Waiting {
    std::variant<Got, Done, Answered> done;
    Instant until;
  };

  bool put_task(Task task);
  void run();
  std::deque<Task> wait_for_tasks();
  void handle(Work task) { task(); }
  void handle(Connection task);
  void handle(Closed task);
  void handle(const LinkProblem& problem);
  void handle(const Incoming& message);
  void tick(Instant now);
  void open_stream(Instant now);
  void lose_stream(Instant now);
  void set_up(bool is_up);
  // Sends it, or fails. `headers` as Link::publish().
  void request(const std::string& subject, Bytes payload, const std::vector<Header>& headers,
               Waiting waiting);
  static void fail(Waiting waiting);
  void answered(Waiting waiting, const Incoming& message);
  std::expected<std::optional<Stored>, Failure> stored_in(const Incoming& message);
  std::expected<std::uint64_t, Failure> revision_in(const Incoming& message);
  std::string ask_subject(std::uint64_t instance) const;

  const NatsOptions options_;
  const RecordOptions records_;
  const std::uint64_t instance_;
  const std::string stream_;
  RecordUser* user_ = nullptr;
  std::atomic<bool> is_up_ = false;
  std::atomic<std::size_t> bytes_max_ = 0;

  std::mutex mutex_;  // guards what follows
  std::condition_variable has_tasks_;
  std::condition_variable has_room_;
  std::deque<Task> tasks_;
  bool stopping_ = false;

  // Its thread:
  RelayLog log_{options_};
  Link link_;
  KnownStreams known_;
  ConnectPlan connects_{saturating_duration(options_.reconnect_wait)};
  Subscribed asked_{nullptr, [](void*) {}};
  std::map<std::uint64_t, Waiting> waiting_;
  std::uint64_t last_request_ = 0;
  bool is_connected_ = false;
  Instant open_at_ = Instant::max();
  std::optional<std::int64_t> created_;  // the stream that was opened last
  std::uint64_t highest_ = 0;            // revision of it
  std::thread thread_;
};

}  // namespace fanfare::relay
