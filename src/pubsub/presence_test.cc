#include "pubsub/presence.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"

namespace fanfare::pubsub {
namespace {

using Names = std::vector<std::string>;

TEST(Presence, SeveralConnectionsOfOneMemberCountOnce) {
  Presence presence;
  presence.join("ann");
  presence.join("ann");
  presence.join("bob");
  const PresenceChange first = presence.take();
  EXPECT_EQ(first.joined, (Names{"ann", "bob"}));
  EXPECT_EQ(first.left, Names{});
  presence.leave("ann");
  EXPECT_FALSE(presence.has_changes());
  presence.leave("ann");
  EXPECT_EQ(presence.take().left, Names{"ann"});
  EXPECT_EQ(presence.members(), Names{"bob"});
}

TEST(Presence, WhoLeavesAndComesBackBeforeItIsTakenIsNoChange) {
  Presence presence;
  presence.join("ann");
  presence.take();
  presence.leave("ann");
  EXPECT_TRUE(presence.has_changes());
  presence.join("ann");
  EXPECT_FALSE(presence.has_changes());
  presence.join("bob");
  presence.leave("bob");
  EXPECT_FALSE(presence.has_changes());
}

// The changes, one after the other, make the same set as who is in.
TEST(Presence, ChangesAddUpToTheMembers) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRandom random(seed);
    Presence presence;
    std::map<std::string, int> connections;
    std::set<std::string> sum;
    for (int step = 0; step < 500; ++step) {
      const std::string member(1, static_cast<char>('a' + random.below(5)));
      if (connections[member] > 0 && random.below(2) == 0) {
        --connections[member];
        presence.leave(member);
      } else {
        ++connections[member];
        presence.join(member);
      }
      if (random.below(4) != 0) continue;
      const PresenceChange change = presence.take();
      for (const std::string& name : change.joined) EXPECT_TRUE(sum.insert(name).second) << seed;
      for (const std::string& name : change.left) EXPECT_EQ(sum.erase(name), 1U) << seed;
      EXPECT_EQ(presence.members(), Names(sum.begin(), sum.end())) << seed;
      for (const auto& [name, count] : connections) EXPECT_EQ(sum.contains(name), count > 0) << seed;
    }
  }
}

}  // namespace
}  // namespace fanfare::pubsub
