// What moderators restore, one request after another.
#include "canvasserver/server_for_tests.h"

namespace fanfare::canvasserver {
namespace {

using testing::HasSubstr;

// Of moderators who may draw, each another user.
MakePermit permits_of_moderators() {
  return [number = 0](const session::HttpConnection&, const server::Target&) mutable {
    auto permit = std::make_unique<TestPermit>();
    permit->granted = {.draw = true, .moderate = true};
    permit->name = "moderator " + std::to_string(++number);
    return permit;
  };
}

std::string rollback(std::size_t id) {
  return R"({"type":"rollback","at_ms":1,"id":)" + std::to_string(id) + "}";
}

std::size_t tasks_of(StorageState& storage) {
  const std::scoped_lock lock(storage.mutex);
  return storage.past_tasks.size();
}

// Otherwise the second one would not see what the first one takes back.
TEST_P(CanvasServerTest, OneReadsTheLogWhenTheOneBeforeHasChangedIt) {
  begin({}, false, permits_of_moderators());
  storage_->reads_past = true;
  BlankPast log;
  const net::Descriptor peer = open_json();
  for (std::size_t id = 0; id <= kRestorationsMax; ++id) say(peer, rollback(id));
  EXPECT_TRUE(run_until([&] { return tasks_of(*storage_) == 1; }));
  // One is under way and kRestorationsMax wait.
  say(peer, rollback(999));
  EXPECT_THAT(read_until(peer, "\"id\":999"), HasSubstr("too_many_messages"));
  for (std::size_t id = 0; id <= kRestorationsMax; ++id) {
    EXPECT_TRUE(run_until([&] { return tasks_of(*storage_) > 0; }));
    EXPECT_EQ(tasks_of(*storage_), 1U);
    const std::size_t ticks = storage_->ticks;
    storage_->run_past(log);
    EXPECT_THAT(read_until(peer, "\"count\":0"), HasSubstr("\"id\":" + std::to_string(id)));
    EXPECT_GT(storage_->ticks, ticks) << "its event is in the log";
  }
}

TEST_P(CanvasServerTest, OneThatIsRefusedOrWhoseAskerHasLeftKeepsNobodyWaiting) {
  begin({}, false, permits_of_moderators());
  storage_->reads_past = true;
  BlankPast log;
  const net::Descriptor peer = open_json();
  {
    const net::Descriptor gone = open_json();
    read_until(peer, "user_joined");
    say(gone, rollback(1));
    EXPECT_TRUE(run_until([&] { return tasks_of(*storage_) == 1; }));
    say(gone, rollback(2));
  }
  read_until(peer, "user_left");
  say(peer, rollback(3));
  storage_->run_past(log);
  EXPECT_TRUE(run_until([&] { return tasks_of(*storage_) == 1; }));
  {
    const std::scoped_lock lock(storage_->mutex);
    storage_->reads_past = false;
  }
  say(peer, rollback(4));
  storage_->run_past(log);
  EXPECT_THAT(read_until(peer, "\"id\":4"), HasSubstr("too_many_messages")) << "the log takes no more";
}

}  // namespace
}  // namespace fanfare::canvasserver
