#include "upstream/chain_claim.h"

#include <gtest/gtest.h>

namespace fanfare::upstream {
namespace {

using Verdict = NetworkChain::Verdict;

const std::string kOne = "0x" + std::string(63, '0') + "1";
const std::string kTwo = "0x" + std::string(63, '0') + "2";

NetworkChain::Known says(std::uint64_t chain_id, std::string genesis = "") {
  return {.claim = ChainClaim{.chain_id = chain_id, .genesis = std::move(genesis)}, .asked = true};
}
const NetworkChain::Known kSilent{.claim = {}, .asked = true};
const NetworkChain::Known kWithoutId{.claim = ChainClaim{}, .asked = true};
const NetworkChain::Known kNotAsked{};

TEST(ReadChainId, TakesQuantitiesOnly) {
  EXPECT_EQ(read_chain_id(R"("0x1")"), 1U);
  EXPECT_EQ(read_chain_id(R"("0x7a69")"), 31337U);
  for (const char* other :
       {"", "null", "1", R"("1")", R"("0x")", R"("0xg")", R"("0x10000000000000000")", "{}"}) {
    EXPECT_EQ(read_chain_id(other), std::nullopt) << other;
  }
}

TEST(ReadGenesis, TakesTheHashOfBlockZeroOnly) {
  const std::string upper = "0x" + std::string(63, '0') + "A";
  const std::string lower = "0x" + std::string(63, '0') + "a";
  EXPECT_EQ(read_genesis(R"({"number":"0x0","hash":")" + upper + "\"}"), lower);
  EXPECT_EQ(read_genesis(R"({"number":"0x1","hash":")" + upper + "\"}"), "");
  EXPECT_EQ(read_genesis(R"({"number":"0x0","hash":"0x12"})"), "");
  EXPECT_EQ(read_genesis(R"({"number":"0x0"})"), "");
  EXPECT_EQ(read_genesis("null"), "");
  EXPECT_EQ(read_genesis(""), "");
}

TEST(NetworkChain, TheConfiguredIdIsTheTruth) {
  NetworkChain chain(1);
  EXPECT_FALSE(chain.settle({says(2), says(2)}, true));
  EXPECT_EQ(chain.judge(says(2)), Verdict::wrong);
  EXPECT_EQ(chain.judge(says(1)), Verdict::right);
  EXPECT_EQ(chain.judge(kSilent), Verdict::unknown);
  EXPECT_EQ(chain.judge(kWithoutId), Verdict::unknown);
}

TEST(NetworkChain, WithoutOneTheFirstAnswerInTheOrderOfPreferenceDecides) {
  NetworkChain chain({});
  EXPECT_FALSE(chain.settle({kNotAsked, says(2)}, false));
  EXPECT_EQ(chain.judge(says(2)), Verdict::unknown);
  EXPECT_TRUE(chain.settle({says(1), says(2)}, false));
  EXPECT_EQ(chain.judge(says(1)), Verdict::right);
  EXPECT_EQ(chain.judge(says(2)), Verdict::wrong);
  chain.settle({says(2), says(2)}, true);  // an id never changes
  EXPECT_EQ(chain.judge(says(2)), Verdict::wrong);
}

TEST(NetworkChain, ASilentNodeIsWaitedForOnlySoLong) {
  NetworkChain failed({});
  EXPECT_TRUE(failed.settle({kSilent, says(2)}, false));
  EXPECT_EQ(failed.judge(says(2)), Verdict::right);
  NetworkChain late({});
  EXPECT_TRUE(late.settle({kNotAsked, says(2)}, true));
  EXPECT_EQ(late.judge(says(1)), Verdict::wrong);
}

TEST(NetworkChain, WhereNoNodeKnowsItsIdAllAreTaken) {
  NetworkChain chain({});
  chain.settle({kWithoutId, kSilent}, false);
  EXPECT_EQ(chain.judge(kWithoutId), Verdict::right);
  EXPECT_EQ(chain.judge(kSilent), Verdict::unknown);
}

TEST(NetworkChain, ReusedIdsAreToldApartByTheirGenesis) {
  NetworkChain chain(1);
  EXPECT_TRUE(chain.settle({says(1, kOne), says(1, kTwo)}, false));
  EXPECT_EQ(chain.judge(says(1, kOne)), Verdict::right);
  EXPECT_EQ(chain.judge(says(1, kTwo)), Verdict::wrong);
}

TEST(NetworkChain, AnotherChainsGenesisDecidesNothing) {
  NetworkChain chain(1);
  EXPECT_TRUE(chain.settle({says(2, kTwo), says(1, kOne)}, false));
  EXPECT_EQ(chain.truth().genesis, kOne);
}

TEST(NetworkChain, WhoHasPrunedBlockZeroIsJudgedByItsId) {
  NetworkChain chain(1);
  EXPECT_TRUE(chain.settle({says(1), says(1, kOne)}, false));
  EXPECT_EQ(chain.judge(says(1)), Verdict::right);
  NetworkChain nobody(1);
  nobody.settle({says(1), says(1)}, false);
  EXPECT_EQ(nobody.judge(says(1)), Verdict::right);
}

TEST(NetworkChain, NoNodeIsTakenWhileABetterOneMayStillShowAnotherGenesis) {
  NetworkChain chain(1);
  EXPECT_FALSE(chain.settle({kNotAsked, says(1, kTwo)}, false));
  EXPECT_EQ(chain.judge(says(1, kTwo)), Verdict::unknown);
  EXPECT_TRUE(chain.settle({says(1, kOne), says(1, kTwo)}, false));
  EXPECT_EQ(chain.judge(says(1, kTwo)), Verdict::wrong);
}

TEST(NetworkChain, AnotherGenesisIsTakenOverOnlyWhenEveryNodeShowsIt) {
  NetworkChain chain(1);
  chain.settle({says(1, kOne), says(1, kOne)}, false);
  EXPECT_FALSE(chain.settle({kSilent, says(1, kTwo)}, true));
  EXPECT_FALSE(chain.settle({says(1, kOne), says(1, kTwo)}, true));
  EXPECT_FALSE(chain.settle({says(2, kTwo), says(2, kTwo)}, true));
  EXPECT_EQ(chain.judge(says(1, kTwo)), Verdict::wrong);
  EXPECT_TRUE(chain.settle({says(1, kTwo), says(1, kTwo)}, true));
  EXPECT_EQ(chain.judge(says(1, kTwo)), Verdict::right);
  EXPECT_EQ(chain.judge(says(1, kOne)), Verdict::wrong);
}

TEST(NetworkChain, DescribesWhatPeopleAreTold) {
  EXPECT_EQ(describe({.chain_id = 5, .genesis = ""}), "chain 5");
  EXPECT_EQ(describe({.chain_id = 5, .genesis = kOne}), "chain 5 with the genesis " + kOne);
  EXPECT_EQ(describe({}), "a chain without an id");
}

}  // namespace
}  // namespace fanfare::upstream
