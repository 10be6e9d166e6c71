#include "upstream/methods.h"

#include <gtest/gtest.h>

#include <array>

namespace fanfare::upstream {
namespace {

TEST(Methods, ReadsMayBeRepeatedAndNothingElse) {
  for (const char* method :
       {"eth_blockNumber", "eth_call", "eth_getLogs", "net_version", "web3_clientVersion",
        "debug_traceTransaction", "debug_getRawBlock", "web3_sha3"}) {
    EXPECT_EQ(repeat_of(method), Repeat::always) << method;
  }
  for (const char* method :
       {"eth_sendRawTransaction", "eth_sendTransaction", "eth_sign", "eth_signTransaction",
        "personal_unlockAccount", "eth_newFilter", "eth_getFilterChanges", "eth_uninstallFilter", "evm_mine",
        "anvil_setBalance", "engine_newPayloadV3", "eth_call2", "ETH_CALL", "eth_", "", "something_new"}) {
    EXPECT_EQ(repeat_of(method), Repeat::if_unsent) << method;
  }
}

TEST(Methods, ABatchIsAsSafeAsItsWorstMember) {
  const std::array<std::string_view, 2> reads{"eth_call", "eth_chainId"};
  const std::array<std::string_view, 2> mixed{"eth_call", "eth_sendRawTransaction"};
  EXPECT_EQ(options_for_batch(reads).repeat, Repeat::always);
  EXPECT_EQ(options_for_batch(mixed).repeat, Repeat::if_unsent);
  EXPECT_EQ(options_for_batch(reads).method, "batch");
}

}  // namespace
}  // namespace fanfare::upstream
