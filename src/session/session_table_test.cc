// Sessions by id.

#include "session/client_for_tests.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

class SessionTableTest : public LoopServerTest {};

INSTANTIATE_TEST_SUITE_P(Kinds, SessionTableTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         loop_kind_name);

TEST_P(SessionTableTest, AnIdNamesOneSessionAndNoneThatComesAfter) {
  start();
  SessionTable& sessions = server_->sessions();
  EXPECT_EQ(sessions.find({}), nullptr);
  SessionId gone;
  {
    const auto peer = open_websocket();
    gone = endpoint_.last->id();
    EXPECT_EQ(sessions.find(gone), endpoint_.last);
    EXPECT_EQ(sessions.find({}), nullptr);
  }
  ASSERT_TRUE(run_until([&] { return sessions.size() == 0; }));
  EXPECT_EQ(sessions.find(gone), nullptr);
  const auto next = open_websocket();
  const SessionId here = endpoint_.last->id();
  EXPECT_EQ(here.slot, gone.slot);
  EXPECT_NE(here.generation, gone.generation);
  EXPECT_EQ(sessions.find(gone), nullptr);
  EXPECT_EQ(sessions.find(here), endpoint_.last);
}

}  // namespace
}  // namespace fanfare::session
