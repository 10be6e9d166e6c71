// Whether a source of hints is of use: whether it announces blocks before polls find them. Decision 0610.

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "eth/head_hints.h"
#include "eth/hinted_source_for_tests.h"

namespace fanfare::eth {
namespace {

using namespace std::chrono_literals;

TEST(HeadHintsUseTest, ASourceIsOfUseUntilTooManyBlocksInARowWereFoundWithoutIt) {
  const auto most = static_cast<int>(HeadHintLimits{}.missed_max);
  HintedSource chain;
  chain.run_for(1min);
  chain.mine_and_find();
  EXPECT_FALSE(chain.is_of_use());
  chain.mine_and_hint();
  EXPECT_TRUE(chain.is_of_use());
  for (int round = 0; round < 3; ++round) {
    for (int i = 1; i < most; ++i) chain.mine_and_find();
    EXPECT_TRUE(chain.is_of_use());
    chain.mine_and_hint();
    chain.run_for(1s);
  }
  for (int i = 1; i < most; ++i) chain.mine_and_find();
  EXPECT_TRUE(chain.is_of_use());
  chain.mine_and_find();
  EXPECT_FALSE(chain.is_of_use());
  chain.mine_and_hint();
  EXPECT_TRUE(chain.is_of_use());
  EXPECT_EQ(chain.uses, (std::vector<bool>{true, false, true}));
}

TEST(HeadHintsUseTest, AChainThatStandsStillChangesNoSourcesUse) {
  HintedSource chain;
  chain.run_for(10min);
  EXPECT_FALSE(chain.is_of_use());
  chain.mine_and_hint();
  chain.run_for(1h);
  EXPECT_TRUE(chain.is_of_use());
}

TEST(HeadHintsUseTest, ASourceThatIsLateOrNamesOtherBlocksIsOfNoUse) {
  HintedSource late;
  HintedSource liar;
  for (int i = 0; i < 40; ++i) {
    late.mine_and_find();
    late.hint(late.node.head());
    liar.lie();
    liar.mine_and_find();
  }
  late.is_of_use();
  liar.is_of_use();
  EXPECT_TRUE(late.uses.empty());
  EXPECT_TRUE(liar.uses.empty());
}

// Whoever caused the poll: it is also known of a source that is not asked, and of one whose hints are not polled for at once.
TEST(HeadHintsUseTest, EachSourceThatAnnouncesABlockBeforeItIsFoundIsOfUse) {
  HintedSource chain;
  chain.source.set_hints_live(1, true, chain.now);
  chain.run_for(1min);
  chain.node.mine(1);
  chain.hint(chain.node.head(), 1, 0);
  EXPECT_FALSE(chain.is_up_to_date());
  chain.run_for(12s);
  EXPECT_TRUE(chain.is_of_use(1));
  EXPECT_FALSE(chain.is_of_use(0));
  chain.node.mine(1);
  chain.hint(chain.node.head(), 0, 0);
  chain.run_for(1s);
  EXPECT_TRUE(chain.is_of_use(0));
}

TEST(HeadHintsUseTest, OfSeveralBlocksThatAPollFindsOneMustHaveBeenAnnounced) {
  HintedSource chain;
  chain.reachable = false;
  chain.run_for(1min);
  chain.node.mine(3);
  chain.hint(chain.node.at(chain.node.head().number - 1));
  chain.reachable = true;
  chain.run_for(1min);
  EXPECT_TRUE(chain.is_up_to_date());
  EXPECT_TRUE(chain.is_of_use());
}

TEST(HeadHintsUseTest, OnlyTheLastAnnouncedBlocksAreRemembered) {
  for (const bool is_past : {false, true}) {
    HintedSource chain;
    chain.run_for(1min);
    chain.reachable = false;
    chain.run_for(1min);
    chain.node.mine(1);
    chain.hint(chain.node.head());
    SimulatedBlock other;
    other.number = chain.node.head().number + 1;
    for (int i = 0; i < 20; ++i) chain.hint(other);  // counts once
    for (std::size_t i = is_past ? 1 : 2; i < HeadHintLimits{}.announced_max; ++i) chain.lie();
    chain.reachable = true;
    chain.run_for(1min);
    EXPECT_TRUE(chain.is_up_to_date());
    EXPECT_EQ(chain.is_of_use(), !is_past);
  }
}

TEST(HeadHintsUseTest, ASourceThatIsLostIsOfNoUseUntilItsNextBlock) {
  HintedSource chain;
  chain.run_for(1min);
  chain.mine_and_hint();
  chain.run_for(1s);
  EXPECT_TRUE(chain.is_of_use());
  chain.reachable = false;
  chain.run_for(1s);
  chain.node.mine(1);
  chain.hint(chain.node.head());
  chain.source.set_hints_live(0, false, chain.now);
  EXPECT_FALSE(chain.is_of_use());
  chain.source.set_hints_live(0, true, chain.now);
  chain.reachable = true;
  chain.run_for(1min);
  EXPECT_FALSE(chain.is_of_use()) << "what the last connection announced is forgotten";
  chain.mine_and_hint();
  chain.run_for(1s);
  EXPECT_TRUE(chain.is_of_use());
}

}  // namespace
}  // namespace fanfare::eth
