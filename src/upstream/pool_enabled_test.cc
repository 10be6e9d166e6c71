// Members that an operator has taken out.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "upstream/pool.h"
#include "upstream/pool_world_for_tests.h"
#include "upstream/test_calls.h"

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;
using testing::ask;
using testing::kDropped;
using testing::kRead;

class PoolEnabledTest : public testing::PoolTest {
 protected:
  std::vector<MemberStatus> status() {
    std::vector<MemberStatus> all;
    on_worker([&] { all = pool->status(); });
    return all;
  }
  void enable(std::size_t member, bool enabled) {
    on_worker([&] { pool->set_enabled(member, enabled); });
  }
};

TEST_F(PoolEnabledTest, ADisabledMemberGetsNoCallsUntilItIsEnabled) {
  make(2);
  enable(0, false);
  EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_EQ(nodes[0]->calls, 0);
  EXPECT_FALSE(status()[0].enabled);
  EXPECT_TRUE(status()[1].enabled);
  enable(0, true);
  EXPECT_EQ(answer(), R"(["a"])");
}

// Not even if all others fail.
TEST_F(PoolEnabledTest, ADisabledMemberIsNoLastResort) {
  make(2);
  enable(1, false);
  on_worker([&] { nodes[0]->failure = kDropped; });
  EXPECT_EQ(answer(), "closed");
  EXPECT_EQ(nodes[1]->calls, 0);
}

TEST_F(PoolEnabledTest, WithoutAnyEnabledMemberCallsFailAtOnceAndSayWhy) {
  make(2);
  enable(0, false);
  enable(1, false);
  const Result result = ask(worker, *pool, "{}", kRead);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "all nodes of this network are disabled");
  EXPECT_EQ(nodes[0]->calls + nodes[1]->calls, 0);
}

// Its head would make the others look as if they lagged.
TEST_F(PoolEnabledTest, TheHeadOfADisabledMemberIsNotTheBestOne) {
  make(2);
  on_worker([&] {
    pool->head_seen(0, 100);
    pool->head_seen(1, 10);
  });
  EXPECT_EQ(status()[1].lag, 90U);
  EXPECT_TRUE(status()[1].lagging);
  enable(0, false);
  EXPECT_EQ(status()[1].lag, 0U);
  EXPECT_FALSE(status()[1].lagging);
  EXPECT_EQ(status()[0].head, 100U);
}

TEST_F(PoolEnabledTest, TheStatusTellsWhyAMemberIsSuspended) {
  make(2);
  on_worker([&] { nodes[0]->failure = kDropped; });
  while (status()[0].available) EXPECT_EQ(answer(), R"(["b"])");
  EXPECT_EQ(status()[0].failure, "closed: dropped");
  EXPECT_GT(status()[0].retry_in, 0s);
  EXPECT_EQ(status()[1].failure, "");
  EXPECT_EQ(status()[1].retry_in, 0s);
}

}  // namespace
}  // namespace fanfare::upstream
