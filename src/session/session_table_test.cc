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

TEST_P(SessionTableTest, KeepsNoFactsUnlessAskedTo) {
  start();
  const auto peer = open_websocket();
  EXPECT_EQ(server_->sessions().facts_of(*endpoint_.last), nullptr);
}

TEST_P(SessionTableTest, FactsOfAConnectionBeginWithItsAcceptAndCountItsMessages) {
  start({.keeps_facts = true});
  const Instant accepted = loop_->now();
  const auto peer = connect();
  write(peer, std::string(kUpgrade).insert(kUpgrade.size() - 2, "User-Agent: walrus/1.0\r\n"));
  read_until(peer, "101 ");
  ASSERT_TRUE(run_until([&] { return endpoint_.last != nullptr; }));
  const SessionTable& sessions = server_->sessions();
  const ConnectionFacts* const facts = sessions.facts_of(*endpoint_.last);
  ASSERT_NE(facts, nullptr);
  ASSERT_NE(facts->user_agent, nullptr);
  EXPECT_EQ(*facts->user_agent, "walrus/1.0");
  EXPECT_LE(facts->opened_at - accepted, 1s);
  EXPECT_EQ(facts->messages_received, 1U) << "the upgrade";
  // Whole messages, and one in fragments.
  write(peer, client_frame(0x81, "one") + client_frame(0x81, "two"));
  read_until(peer, "two");
  write(peer, client_frame(0x01, "th") + client_frame(0x80, "ree"));
  read_until(peer, "three");
  EXPECT_EQ(facts->messages_received, 4U);
  EXPECT_EQ(facts->messages_sent, 3U);
  EXPECT_EQ(facts->bytes_sent, 5U + 5U + 7U) << "their frames";
}

TEST_P(SessionTableTest, FactsOfALaterConnectionInTheSameSlotAreItsOwn) {
  start({.keeps_facts = true});
  {
    const auto peer = connect();
    write(peer, std::string(kUpgrade).insert(kUpgrade.size() - 2, "User-Agent: walrus/1.0\r\n"));
    ASSERT_TRUE(run_until([&] { return endpoint_.last != nullptr; }));
  }
  ASSERT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
  const auto peer = connect();
  ASSERT_TRUE(run_until([&] { return server_->sessions().size() == 1; }));
  std::size_t visited = 0;
  server_->sessions().visit_slots(0, SIZE_MAX, [&](Member& member) {
    ++visited;
    EXPECT_EQ(member.id().slot, 0U);
    const ConnectionFacts* const facts = server_->sessions().facts_of(member);
    ASSERT_NE(facts, nullptr);
    EXPECT_EQ(facts->user_agent, nullptr);
    EXPECT_EQ(facts->messages_received, 0U);
  });
  EXPECT_EQ(visited, 1U);
}

// A session that closes itself within a message has left the table when its turn is counted.
TEST_P(SessionTableTest, ASessionThatHasLeftIsNotCountedInAnothersSlot) {
  start({.keeps_facts = true});
  endpoint_.when_message = [](Session& session, std::string_view) { session.close(); };
  const auto peer = open_websocket();
  write(peer, client_frame(0x81, "one") + client_frame(0x81, "two"));
  ASSERT_TRUE(run_until([&] { return server_->sessions().size() == 0; }));
}

TEST_P(SessionTableTest, FactsOfConnectionsThatAreThereBeginWhenTheyAreKept) {
  start();
  const auto before = open_websocket();
  Session& session = *endpoint_.last;
  write(before, client_frame(0x81, "one"));
  read_until(before, "one");
  SessionTable& sessions = server_->sessions();
  sessions.keep_facts(true);
  const ConnectionFacts* const facts = sessions.facts_of(session);
  ASSERT_NE(facts, nullptr);
  EXPECT_EQ(facts->opened_at, loop_->now());
  write(before, client_frame(0x81, "two"));
  read_until(before, "two");
  EXPECT_EQ(facts->messages_received, 1U);
  const auto after = open_websocket();
  sessions.keep_facts(true);
  EXPECT_EQ(sessions.facts_of(session)->messages_received, 1U) << "they go on";
  EXPECT_EQ(sessions.facts_of(*endpoint_.last)->messages_received, 1U) << "the upgrade";
  sessions.keep_facts(false);
  EXPECT_EQ(sessions.facts_of(session), nullptr);
  write(before, client_frame(0x81, "three"));
  read_until(before, "three");
}

TEST_P(SessionTableTest, VisitsSlotsInSteps) {
  start();
  std::vector<net::Descriptor> peers;
  for (int i = 0; i < 5; ++i) peers.push_back(open_websocket());
  SessionTable& sessions = server_->sessions();
  std::vector<std::uint32_t> slots;
  const auto note = [&](Member& member) { slots.push_back(member.id().slot); };
  EXPECT_EQ(sessions.visit_slots(0, 2, note), 2U);
  EXPECT_EQ(slots, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(sessions.visit_slots(2, 100, note), 5U);
  EXPECT_EQ(slots.size(), 5U);
  EXPECT_EQ(sessions.visit_slots(7, 1, note), 7U) << "beyond the last one there is nothing";
  EXPECT_EQ(slots.size(), 5U);
  EXPECT_EQ(sessions.slot_count(), 5U);
}

TEST_P(SessionTableTest, DropsTheLastSlotsWhenMostConnectionsHaveGone) {
  start({.keeps_facts = true});
  SessionTable& sessions = server_->sessions();
  std::vector<net::Descriptor> peers;
  for (std::size_t i = 0; i < SessionTable::kSlotsKept + 9; ++i) peers.push_back(open_websocket());
  const Session* const last = endpoint_.last;
  const SessionId gone = last->id();
  ASSERT_EQ(gone.slot, SessionTable::kSlotsKept + 8);
  peers.resize(5);
  ASSERT_TRUE(run_until([&] { return sessions.size() == 5; }));
  EXPECT_EQ(sessions.slot_count(), SessionTable::kSlotsKept + 9);
  clock_.advance(100ms);
  ASSERT_TRUE(run_until([&] { return sessions.slot_count() == SessionTable::kSlotsKept; }));

  EXPECT_EQ(sessions.find(gone), nullptr);
  write(peers[4], client_frame(0x81, "here"));
  read_until(peers[4], "here");
  peers.push_back(open_websocket());
  EXPECT_EQ(endpoint_.last->id().slot, 5U) << "the lowest free one";
  EXPECT_EQ(sessions.facts_of(*endpoint_.last)->messages_received, 1U);
  for (std::size_t i = 6; i <= SessionTable::kSlotsKept; ++i) peers.push_back(open_websocket());
  EXPECT_EQ(endpoint_.last->id().slot, SessionTable::kSlotsKept);
  EXPECT_EQ(sessions.facts_of(*endpoint_.last)->messages_received, 1U);
}

TEST_P(SessionTableTest, AConnectionInTheLastSlotKeepsTheOnesBefore) {
  start();
  SessionTable& sessions = server_->sessions();
  std::vector<net::Descriptor> peers;
  for (std::size_t i = 0; i <= SessionTable::kSlotsKept; ++i) peers.push_back(open_websocket());
  const SessionId stays = endpoint_.last->id();
  peers.erase(peers.begin(), peers.end() - 1);
  ASSERT_TRUE(run_until([&] { return sessions.size() == 1; }));
  clock_.advance(100ms);
  write(peers[0], client_frame(0x81, "here"));
  read_until(peers[0], "here");
  EXPECT_EQ(sessions.slot_count(), SessionTable::kSlotsKept + 1);
  EXPECT_NE(sessions.find(stays), nullptr);
  peers.clear();
  ASSERT_TRUE(run_until([&] { return sessions.size() == 0; }));
  clock_.advance(100ms);
  EXPECT_TRUE(run_until([&] { return sessions.slot_count() == SessionTable::kSlotsKept; }));
}

TEST(ConnectionFacts, SharesTheTextOfAgentsUpToALimit) {
  ConnectionFactsTable table;
  constexpr std::size_t kMost = ConnectionFactsTable::kSharedAgentsMax;
  for (std::uint32_t i = 0; i < kMost; ++i) {
    table.begin(i, {});
    table.note_request(i, "agent " + std::to_string(i));
  }
  EXPECT_EQ(table.shared_agents(), kMost);
  table.begin(kMost, {});
  table.note_request(kMost, "one more");
  EXPECT_EQ(table.shared_agents(), kMost) << "all of them are in use";
  EXPECT_EQ(*table.of(kMost).user_agent, "one more");
  for (std::uint32_t i = 0; i < kMost; ++i) table.end(i);
  table.begin(0, {});
  table.note_request(0, "another");
  EXPECT_EQ(table.shared_agents(), 1U) << "those of connections that have ended are forgotten";
  table.begin(1, {});
  table.note_request(1, "another");
  EXPECT_EQ(table.of(0).user_agent, table.of(1).user_agent);
  table.note_request(1, std::string(ConnectionFactsTable::kUserAgentBytesMax + 1, 'x'));
  EXPECT_EQ(table.of(1).user_agent->size(), ConnectionFactsTable::kUserAgentBytesMax);
}

}  // namespace
}  // namespace fanfare::session
