#pragma once
// The canvas of a server on one loop, over socket pairs, raw clients, and a storage that commits when the test says so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "canvasserver/mounts.h"
#include "canvasserver/visit.h"
#include "server/loop_context.h"
#include "server/router.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::canvasserver {

// A log in which nobody has drawn.
class BlankPast : public PastLog {
 public:
  Result<Span> span() override { return Span{}; }
  Result<std::vector<StoredChunk>> chunks_at(const canvas::Area&, std::int64_t at_ms, bool) override {
    moments.push_back(at_ms);
    return std::vector<StoredChunk>();
  }
  Result<std::vector<LogPixel>> drawn_at(std::uint32_t, std::uint32_t, std::size_t) override {
    return std::vector<LogPixel>();
  }
  Result<void> visit(const canvas::Area&, std::int64_t, std::int64_t, std::optional<std::uint32_t>,
                     const Visit&) override {
    return {};
  }
  Result<std::vector<LogTakenBack>> taken_back(canvas::ChunkId, std::uint64_t) override {
    return std::vector<LogTakenBack>();
  }
  Result<std::uint64_t> tick_from(std::int64_t) override { return 1; }
  Result<std::vector<LoggedUser>> users(const std::vector<std::uint32_t>&) override {
    return std::vector<LoggedUser>();
  }

  std::vector<std::int64_t> moments;  // that were asked for
};

// That of a room that has ended.
class EndedPast final : public BlankPast {
 public:
  Result<std::vector<StoredChunk>> chunks_at(const canvas::Area&, std::int64_t, bool) override {
    return std::unexpected(std::string(kPastUnwanted));
  }
};

// What the test and the storage share; it outlives the room.
struct StorageState {
  StoredRoom loaded{.epoch = 5};
  std::atomic<std::uint64_t> committed = 0;
  std::atomic<std::uint64_t> shown = 0;
  std::atomic<bool> is_failing = false;
  std::atomic<std::size_t> ticks = 0;
  std::atomic<std::int64_t> past_from_ms = 0;
  std::atomic<bool> is_closed = false;
  std::mutex mutex;  // guards what follows
  std::vector<LoggedTick> log;
  std::function<void()> notify;
  bool reads_past = false;
  std::vector<RoomStorage::PastTask> past_tasks;  // that wait

  // Runs the first task that waits.
  void run_past(PastLog& past) {
    RoomStorage::PastTask task;
    {
      const std::scoped_lock lock(mutex);
      task = std::move(past_tasks.front());
      past_tasks.erase(past_tasks.begin());
    }
    task(past);
  }
  void set_committed(std::uint64_t tick) {
    committed = tick;
    tell();
  }
  void set_failing(bool failing) {
    is_failing = failing;
    tell();
  }
  void tell() {
    const std::scoped_lock lock(mutex);
    if (notify) notify();
  }
};

class TestStorage final : public RoomStorage {
 public:
  TestStorage(std::shared_ptr<StorageState> state, bool full_sync)
      : state_(std::move(state)), full_sync_(full_sync) {}
  StoredRoom take_loaded() override { return state_->loaded; }
  void append(LoggedTick tick) override {
    const std::scoped_lock lock(state_->mutex);
    state_->log.push_back(std::move(tick));
    ++state_->ticks;
  }
  void mark_shown(std::uint64_t tick) override { state_->shown = tick; }
  std::uint64_t committed() const override { return state_->committed; }
  bool is_full_sync() const override { return full_sync_; }
  bool accepts() const override { return !state_->is_failing; }
  bool is_failing() const override { return state_->is_failing; }
  void on_progress(std::function<void()> notify) override {
    const std::scoped_lock lock(state_->mutex);
    state_->notify = std::move(notify);
  }
  bool read_past(PastTask task, PastUse, Abandonment) override {
    const std::scoped_lock lock(state_->mutex);
    if (!state_->reads_past) return false;
    state_->past_tasks.push_back(std::move(task));
    return true;
  }
  StorageMetrics metrics() const override { return {.past_from_ms = state_->past_from_ms}; }
  void close() override {
    std::vector<PastTask> waiting;
    {
      const std::scoped_lock lock(state_->mutex);
      state_->reads_past = false;
      state_->notify = {};
      waiting = std::exchange(state_->past_tasks, {});
    }
    EndedPast ended;
    for (PastTask& task : waiting) task(ended);
    state_->is_closed = true;
  }

 private:
  const std::shared_ptr<StorageState> state_;
  const bool full_sync_;
};

class TestPermit final : public Permit {
 public:
  void begin(PermitHolder& its_holder) override { holder = &its_holder; }
  bool may_view(std::string_view) const override { return views; }
  canvas::Rights rights(std::string_view) const override { return granted; }
  std::string identity() const override { return name; }
  void count_refused() override { ++refused; }
  std::optional<Refusal> take_message() override {
    if (messages == 0) return Refusal{.message = "no more", .retry_after = std::chrono::seconds(2)};
    --messages;
    return std::nullopt;
  }
  void charge_bytes(std::size_t count) override { bytes += count; }
  std::expected<void, Refusal> authenticate(std::string_view token) override {
    if (token == "good") return {};
    return std::unexpected(Refusal{.message = "not this one"});
  }

  PermitHolder* holder = nullptr;
  bool views = true;
  canvas::Rights granted;
  std::string name = "anna";
  std::size_t refused = 0;
  std::size_t messages = 1000;
  std::size_t bytes = 0;
};

class CanvasServerTest : public session::LoopServerTest {
 protected:
  void begin(RoomPlan plan = {}, bool full_sync = false, const MakePermit& make_permit = {}) {
    if (plan.spec == canvas::RoomSpec{}) plan.spec = {.width = 300, .height = 300};
    storage_ = std::make_shared<StorageState>();
    storage_->loaded.last_tick_ms = loaded_.last_tick_ms;
    const auto added = rooms_->add(
        plan, [&](const StorageOptions&) { return std::make_unique<TestStorage>(storage_, full_sync); },
        proof_);
    ASSERT_TRUE(added.has_value()) << added.error();
    start();
    auto wanted = session_settings(plan.limits, settings_);
    if (outbox_bytes_high_ > 0) wanted.outbox_bytes_high = outbox_bytes_high_;
    endpoint_settings_ = wanted;
    loop_rooms_ = std::make_shared<LoopRooms>(*rooms_, *loop_, endpoint_settings_, std::chrono::seconds(10));
    router_ = std::make_unique<server::Router>(std::make_shared<server::LoopContext>(*loop_, 0));
    const MountContext context{.loop = loop_rooms_, .make_permit = make_permit};
    router_->mount(
        *server::PathPattern::parse("/canvas/{room}"),
        std::make_shared<WebSocketMount>(context, ws::UpgradePolicy{.subprotocols = canvas_subprotocols({}),
                                                                    .deflate = {.enabled = false}}));
    router_->mount(*server::PathPattern::parse("/canvas/{room}/image.png"),
                   std::make_shared<ImageMount>(context));
    router_->mount(*server::PathPattern::parse("/canvas/{room}/info"), std::make_shared<InfoMount>(context));
  }
  ~CanvasServerTest() override {
    server_.reset();
    // Answers that have ended are destroyed in the next turn.
    loop_->run_once(std::chrono::milliseconds(0));
    router_.reset();
    loop_rooms_.reset();
    rooms_.reset();
  }
  RoomThread& room() { return *rooms_->find("main"); }

  net::Descriptor connect() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), *router_);
    return net::Descriptor(ends[1]);
  }
  net::Descriptor get(std::string_view target) {
    net::Descriptor peer = connect();
    write(peer, "GET " + std::string(target) + " HTTP/1.1\r\nHost: here\r\n\r\n");
    return peer;
  }
  net::Descriptor upgrade(std::string_view target, std::string_view subprotocol = {}) {
    net::Descriptor peer = connect();
    std::string request(session::kUpgrade);
    request.replace(4, 5, target);
    if (!subprotocol.empty()) {
      request.insert(request.size() - 2, "Sec-WebSocket-Protocol: " + std::string(subprotocol) + "\r\n");
    }
    write(peer, request);
    return peer;
  }
  // After the welcome.
  net::Descriptor open_json(std::string_view target = "/canvas/main") {
    net::Descriptor peer = upgrade(target);
    read_until(peer, "\"complete\":true");
    return peer;
  }
  net::Descriptor open_binary(std::string_view target = "/canvas/main") {
    net::Descriptor peer = upgrade(target, kSubprotocol);
    read_until(peer, "\x87");
    return peer;
  }
  static void say(const net::Descriptor& peer, std::string_view message) {
    write(peer, session::client_frame(0x81, message));
  }
  static void say_binary(const net::Descriptor& peer, std::string_view message) {
    write(peer, session::client_frame(0x82, message));
  }
  // WATCH of the chunks 0 to x1 and 0 to y1, without knowing any.
  static void watch(const net::Descriptor& peer, char x1 = 1, char y1 = 1) {
    say_binary(peer, std::string{'\x02', 0, 0, x1, y1} + std::string(9, '\0'));
  }

  StoredRoom loaded_;                  // its last_tick_ms
  std::size_t outbox_bytes_high_ = 0;  // 0: the default
  canvas::ProofHook* proof_ = nullptr;
  std::shared_ptr<StorageState> storage_;
  std::unique_ptr<Rooms> rooms_ = std::make_unique<Rooms>();
  session::SessionSettings endpoint_settings_;
  std::shared_ptr<LoopRooms> loop_rooms_;
  std::unique_ptr<server::Router> router_;
};

}  // namespace fanfare::canvasserver
