// Hubs of several programs whose topic has presence, over a real broker.

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "pubsub/hub.h"
#include "pubsub/hub_world_for_tests.h"
#include "pubsub/loop_hub.h"
#include "relay/nats_server_for_tests.h"
#include "relay/presence/relay_with_presence.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

using MemberList = std::vector<std::string>;

// One loop, which runs on the test's thread.
class TestLoop final : public pubsub::HubLoops, public pubsub::LoopPort {
 public:
  std::size_t count() const override { return 1; }
  bool post(std::size_t /*loop*/, Task task) override {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
    return true;
  }
  Instant now() override { return system_clock().now(); }
  void call_after(Duration delay, UniqueFunction<void()> task) override {
    timers_.emplace(saturating_add(now(), delay), std::move(task));
  }
  void run(pubsub::LoopHub& hub) {
    std::unique_lock lock(mutex_);
    std::deque<Task> tasks = std::exchange(tasks_, {});
    lock.unlock();
    for (Task& task : tasks) task(hub);
    while (!timers_.empty() && timers_.begin()->first <= now()) {
      auto task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      task();
    }
  }

 private:
  std::mutex mutex_;  // guards tasks_
  std::deque<Task> tasks_;
  std::multimap<Instant, UniqueFunction<void()>> timers_;
};

// A client, which folds what it is told.
class Client final : public pubsub::OwnList, public pubsub::HubSubscriber {
 public:
  bool is_open() const override { return true; }
  bool is_congested() const override { return false; }
  bool send(const SharedBytes& frame) override {
    std::string text(as_text(frame.view()));
    texts.push_back(text);
    while (!text.empty()) {
      const std::string name = text.substr(1, text.find(' ') - 1);
      if (text[0] == '+') {
        EXPECT_TRUE(in.insert(name).second) << name;
      } else {
        in.erase(name);
      }
      text.erase(0, name.size() + 2);
    }
    return true;
  }
  bool has_room_behind(std::size_t /*bytes*/) override { return true; }
  void on_ready() override { is_ready = true; }
  std::string_view topic_name() const override { return topic()->name; }
  void on_notice(TopicNotice /*notice*/) override {}
  void tell_missed(const Missed& /*missed*/) override {}
  void read() {
    is_ready = false;
    while (is_behind()) {
      const auto next = take();
      if (!next->frame.empty()) send(next->frame);
    }
  }

  bool is_ready = false;
  std::set<std::string> in;
  std::vector<std::string> texts;
};

struct Program {
  explicit Program(const NatsServer& server) : relay(options_for({server.url()})), hub({}, random) {
    hub.set_relay(relay);
    hub.attach(loops);
    topic = *hub.add("t", {.history = {.messages_max = 100},
                           .presence = true,
                           .presence_interval = std::chrono::milliseconds(200),
                           .relayed = true,
                           .encode = [](Position, const SharedBytes& payload) { return payload; },
                           .describe_presence =
                               [](const PresenceChange& change) {
                                 std::string text;
                                 for (const std::string& name : change.joined) text += "+" + name + " ";
                                 for (const std::string& name : change.left) text += "-" + name + " ";
                                 return SharedBytes(as_bytes(text));
                               }});
  }
  // The members leave when nobody is told any more: as if it was killed.
  ~Program() { hub.stop_relay(); }

  Client& join(const std::string& member) {
    auto& made = *clients.emplace_back(std::make_unique<Client>());
    EXPECT_TRUE(loop.join(topic, made, made.list, {.member = member}));
    return made;
  }
  void run() {
    loops.run(loop);
    for (const auto& client : clients) {
      if (client->is_ready) client->read();
    }
  }

  RelayWithPresence relay;
  SystemRandom random;
  pubsub::Hub hub;
  TestLoop loops;
  pubsub::LoopHub loop{hub, 0, loops};
  std::shared_ptr<pubsub::Topic> topic;
  std::vector<std::unique_ptr<Client>> clients;
};

TEST(HubPresence, ClientsOfAllProgramsSeeTheSameMembers) {
  NatsServer server;
  auto a = std::make_unique<Program>(server);
  Program b(server);
  const auto agree = [&](const MemberList& names) {
    return eventually([&] {
      if (a) a->run();
      b.run();
      const bool a_agrees = a == nullptr || *a->topic->members() == names;
      return a_agrees && *b.topic->members() == names &&
             b.clients[0]->in == std::set<std::string>(names.begin(), names.end());
    });
  };
  b.join("bob");
  ASSERT_TRUE(eventually([&] {
    b.run();
    return *b.topic->members() == MemberList{"bob"};
  }));
  EXPECT_TRUE(a->topic->members()->empty());  // it has no members, and does not follow
  a->join("ann");
  a->join("both");
  b.join("both");
  ASSERT_TRUE(agree({"ann", "bob", "both"}));
  EXPECT_EQ(b.topic->metrics().members, 3U);
  EXPECT_EQ(b.topic->metrics().instances, 2U);
  a.reset();
  ASSERT_TRUE(agree({"bob", "both"}));
  EXPECT_EQ(b.topic->metrics().instances, 1U);
  EXPECT_EQ(b.topic->metrics().instances_gone, 1U);
  EXPECT_EQ(b.clients[0]->texts.back(), "-ann ");
}

}  // namespace
}  // namespace fanfare::relay
