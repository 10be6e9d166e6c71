#include "gateway/named_contracts.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::gateway {
namespace {

constexpr std::string_view kA = "0x00000000000000000000000000000000000000aa";

// "every", or the addresses with a space between them.
std::string names(std::string_view method, std::string_view params) {
  const NamedContracts found = named_contracts(method, params);
  if (found.every) return "every";
  std::string text;
  for (const std::string& one : found.addresses) text += (text.empty() ? "" : " ") + one.substr(38);
  return text;
}

TEST(NamedContracts, ATransactionNamesItsTarget) {
  for (const std::string_view method :
       {"eth_call", "eth_estimateGas", "eth_sendTransaction", "debug_traceCall", "ETH_CALL"}) {
    EXPECT_EQ(names(method, R"([{"to":"0x00000000000000000000000000000000000000AA","data":"0x"},"latest"])"),
              "00aa");
  }
  EXPECT_EQ(names("eth_call", R"([{"data":"0x6000"},"latest"])"), "every");
  EXPECT_EQ(names("eth_call", R"([{"to":null},"latest"])"), "every");
  EXPECT_EQ(names("eth_call", R"(["0x00"])"), "every");
  EXPECT_EQ(names("eth_call", "[]"), "every");
  EXPECT_EQ(names("eth_call", ""), "every");
  EXPECT_EQ(names("eth_call", R"({"to":"0x00000000000000000000000000000000000000aa"})"), "every");
}

TEST(NamedContracts, EveryMemberThatANodeMayReadAsTheTargetCounts) {
  constexpr std::string_view kTwo =
      R"([{"to":"0x00000000000000000000000000000000000000aa","to":"0x00000000000000000000000000000000000000bb"}])";
  EXPECT_EQ(names("eth_call", kTwo), "00aa 00bb");
  EXPECT_EQ(
      names(
          "eth_call",
          R"([{"to":"0x00000000000000000000000000000000000000aa","TO":"0x00000000000000000000000000000000000000bb"}])"),
      "00aa 00bb");
  EXPECT_EQ(
      names(
          "eth_call",
          R"([{"to":"0x00000000000000000000000000000000000000aa","t\u006f":"0x00000000000000000000000000000000000000bb"}])"),
      "00aa 00bb");
  EXPECT_EQ(names("eth_call", R"([{"to":"0x00000000000000000000000000000000000000a\u0061"}])"), "00aa");
  // Go's encoding/json takes U+017F for an s.
  EXPECT_EQ(names("eth_getLogs",
                  "[{\"address\":\"0x00000000000000000000000000000000000000aa\",\"addre\xc5\xbf\xc5\xbf\":"
                  "\"0x00\"}]"),
            "every");
  EXPECT_EQ(names("eth_call", R"([{"to":"0xaa"}])"), "every");
  EXPECT_EQ(names("eth_call", R"([{"to":" 0x00000000000000000000000000000000000000aa"}])"), "every");
}

TEST(NamedContracts, AFilterNamesItsAddresses) {
  const std::string one = R"([{"address":")" + std::string(kA) + R"("}])";
  EXPECT_EQ(names("eth_getLogs", one), "00aa");
  EXPECT_EQ(names("eth_newFilter", one), "00aa");
  EXPECT_EQ(
      names("eth_getLogs", R"([{"address":[")" + std::string(kA) + R"(",")" + std::string(kA) + R"("]}])"),
      "00aa 00aa");
  EXPECT_EQ(names("eth_getLogs", R"([{"address":[]}])"), "every");
  EXPECT_EQ(names("eth_getLogs", R"([{"address":null}])"), "every");
  EXPECT_EQ(names("eth_getLogs", R"([{"topics":[]}])"), "every");
  EXPECT_EQ(names("eth_getLogs", "[]"), "every");
}

TEST(NamedContracts, ASubscriptionToLogsIsAFilter) {
  EXPECT_EQ(names("eth_subscribe", R"(["logs",{"address":")" + std::string(kA) + R"("}])"), "00aa");
  EXPECT_EQ(names("eth_subscribe", R"(["lo\u0067s",{"topics":[]}])"), "every");
  EXPECT_EQ(names("eth_subscribe", R"(["logs"])"), "every");
  EXPECT_EQ(names("eth_subscribe", R"(["transactionReceipts"])"), "every");
  for (const char* const blind : {"newHeads", "newPendingTransactions", "syncing", "newFinalizedHeads"}) {
    EXPECT_EQ(names("eth_subscribe", R"([")" + std::string(blind) + R"("])"), "") << blind;
  }
  EXPECT_EQ(names("eth_subscribe", R"(["aTypeThatSaysNothingOfIt"])"), "every");
}

TEST(NamedContracts, CodeAndStorageAreOfAContractAndBundlesOfAny) {
  EXPECT_EQ(names("eth_getCode", R"([")" + std::string(kA) + R"(","latest"])"), "00aa");
  EXPECT_EQ(names("eth_getStorageAt", "[7]"), "every");
  EXPECT_EQ(names("eth_simulateV1", "[{}]"), "every");
  EXPECT_EQ(names("eth_getBalance", R"([")" + std::string(kA) + R"("])"), "");
  EXPECT_EQ(names("eth_blockNumber", ""), "");
}

TEST(NamedContracts, AMethodThatIsNotKnownConcernsEveryContract) {
  for (const char* const method : {"eth_getStorageValues",
                                   "eth_getAccountInfo",
                                   "eth_getAccount",
                                   "parity_listStorageKeys",
                                   "ots_hasCode",
                                   "eth_callMany",
                                   "eth_sendBundle",
                                   "eth_sendPrivateTransaction",
                                   "mev_sendBundle",
                                   "wallet_sendCalls",
                                   "erigon_getLogsByHash",
                                   "eth_getBlockReceipts",
                                   "eth_getTransactionReceiptsByBlock",
                                   "debug_storageRangeAt",
                                   "debug_dumpBlock",
                                   "anvil_setCode",
                                   "anvil_setStorageAt",
                                   "personal_sendTransaction",
                                   "eth_anythingNew",
                                   "Eth_getStorageValues"}) {
    EXPECT_EQ(names(method, "[]"), "every") << method;
  }
  for (const char* const method : {"net_version", "NET_version", "eth_getBlockByNumber",
                                   "debug_traceTransaction", "txpool_content", "evm_mine"}) {
    EXPECT_EQ(names(method, "[]"), "") << method;
  }
}

TEST(NamedContracts, OverridesOfStateBringCodeOfTheCaller) {
  const std::string to = R"([{"to":")" + std::string(kA) + R"("},"latest")";
  const std::string code = R"({"0x00000000000000000000000000000000000000aa":{"code":"0x00"}})";
  for (const char* const method : {"eth_call", "eth_estimateGas", "eth_createAccessList"}) {
    EXPECT_EQ(names(method, to + "," + code + "]"), "every") << method;
    EXPECT_EQ(names(method, to + ",[]]"), "every") << method;
    EXPECT_EQ(names(method, to + ",null,{},null]"), "00aa") << method;
    EXPECT_EQ(names(method, to + ",null," + code + "]"), "every") << method;
    EXPECT_EQ(names(method, to + "]"), "00aa") << method;
  }
  EXPECT_EQ(names("debug_traceCall", to + R"(,{"tracer":"callTracer","stateOverrides":{}}])"), "00aa");
  EXPECT_EQ(names("debug_traceCall", to + R"(,{"STATEoverrides":)" + code + "}]"), "every");
  EXPECT_EQ(names("debug_traceCall", to + R"(,{"stateOverrides":)" + code + "}]"), "every");
  EXPECT_EQ(names("debug_traceCall", to + ",7]"), "every");
  EXPECT_EQ(names("trace_call", R"([{"to":")" + std::string(kA) + R"("},["trace"],"latest",)" + code + "]"),
            "every");
  EXPECT_EQ(names("trace_call", R"([{"to":")" + std::string(kA) + R"("},["trace"],"latest"])"), "00aa");
}

// Nonce 9, price 20 gwei, gas 21000, to 0x35...35, value 1 ether: the example of EIP-155.
constexpr std::string_view kLegacy =
    "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd9"
    "39bc"
    "2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1"
    "966a3b"
    "6d83";

TEST(NamedContracts, ARawTransactionNamesItsTarget) {
  EXPECT_EQ(names("eth_sendRawTransaction", "[\"" + std::string(kLegacy) + "\"]"), "3535");
  // Type 2: [1, 0, 1, 1, 0x5208, 0x..aa, 0, 0x, []] and no signature.
  const std::string to = "94" + std::string(kA.substr(2));
  EXPECT_EQ(names("eth_sendRawTransaction", "[\"0x02df01800101825208" + to + "8080c0\"]"), "00aa");
  // Type 1: [1, 0, 1, 0x5208, to, ...]
  EXPECT_EQ(names("eth_sendRawTransaction", "[\"0x01de018001825208" + to + "8080c0\"]"), "00aa");
  // Type 3 with blobs: the transaction is the first element.
  EXPECT_EQ(names("eth_sendRawTransaction", "[\"0x03e3df01800101825208" + to + "8080c0c0c0c0\"]"), "00aa");
  // A creation.
  EXPECT_EQ(names("eth_sendRawTransaction",
                  "[\"0x02cb018001018252088080"
                  "80c0\"]"),
            "every");
}

TEST(NamedContracts, ARawTransactionThatCannotBeReadConcernsEveryContract) {
  for (std::size_t size = 0; size + 2 < 90; size += 2) {
    EXPECT_EQ(names("eth_sendRawTransaction", "[\"" + std::string(kLegacy.substr(0, size)) + "\"]"), "every")
        << size;
  }
  for (const std::string_view bad :
       {"[]", "[7]", "[\"\"]", "[\"0x\"]", "[\"0x7fc0\"]", "[\"0xf8\"]", "[\"0xzz\"]", "[\"0x0\"]",
        "[\"0xffffffffffffffffffff\"]", "[\"0xc0\"]"}) {
    EXPECT_EQ(names("eth_sendRawTransaction", bad), "every") << bad;
  }
}

}  // namespace
}  // namespace fanfare::gateway
