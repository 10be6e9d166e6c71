#include "devchain/log_filter.h"

#include <gtest/gtest.h>

#include "devchain/params.h"

namespace fanfare::devchain {
namespace {

std::string topic(char digit) {
  return "\"0x" + std::string(64, digit) + '"';
}
std::string address(char digit) {
  return "\"0x" + std::string(40, digit) + '"';
}

Log log_of(char from, std::string_view topics) {
  Log log{.address = *parse_address("0x" + std::string(40, from))};
  for (const char digit : topics) log.topics.push_back(*parse_hash("0x" + std::string(64, digit)));
  return log;
}

Bloom bloom_of(const Log& log) {
  Bloom bloom{};
  bloom_add(bloom, log.address);
  for (const Hash& one : log.topics) bloom_add(bloom, one);
  return bloom;
}

struct Case {
  std::string filter;
  char from;
  std::string_view topics;
  bool matches;
};

// geth's semantics, position by position.
TEST(LogFilter, MatchesAsGethDoes) {
  const std::string a = topic('a');
  const std::string b = topic('b');
  const std::vector<Case> cases = {
      {"{}", '1', "", true},
      {"{}", '1', "abcd", true},
      {R"({"address":null,"topics":null})", '1', "a", true},
      {R"({"address":[],"topics":[]})", '1', "a", true},
      {R"({"address":)" + address('1') + "}", '1', "", true},
      {R"({"address":)" + address('2') + "}", '1', "", false},
      {R"({"address":[)" + address('2') + "," + address('1') + "]}", '1', "", true},
      {R"({"topics":[)" + a + "]}", '1', "a", true},
      {R"({"topics":[)" + a + "]}", '1', "ab", true},
      {R"({"topics":[)" + a + "]}", '1', "ba", false},
      {R"({"topics":[)" + a + "]}", '1', "", false},
      {R"({"topics":[null,)" + b + "]}", '1', "ab", true},
      {R"({"topics":[[],)" + b + "]}", '1', "ab", true},
      {R"({"topics":[null,)" + b + "]}", '1', "a", false},
      {R"({"topics":[[)" + a + "," + b + "]]}", '1', "b", true},
      {R"({"topics":[[)" + a + "," + b + "]]}", '1', "c", false},
      {R"({"topics":[[)" + a + ",null]]}", '1', "c", true},
      // Trailing nulls are positions too: a log needs as many topics.
      {R"({"topics":[null,null]})", '1', "a", false},
      {R"({"topics":[null,null]})", '1', "ab", true},
      {R"({"topics":[)" + a + ",null]}", '1', "a", false},
      {R"({"address":)" + address('1') + R"(,"topics":[)" + a + "]}", '2', "a", false},
  };
  for (const Case& one : cases) {
    Params params("[" + one.filter + "]");
    const LogFilter filter = params.logs(0).filter;
    ASSERT_FALSE(params.error()) << params.error()->message;
    const Log log = log_of(one.from, one.topics);
    EXPECT_EQ(filter.matches(log), one.matches) << one.filter << " " << one.topics;
    // The bloom may only give false positives.
    EXPECT_TRUE(!one.matches || filter.may_match(bloom_of(log))) << one.filter;
  }
}

TEST(LogFilter, TheBloomRulesBlocksOut) {
  Params params("[{\"topics\":[" + topic('a') + "]}]");
  const LogFilter filter = params.logs(0).filter;
  EXPECT_TRUE(filter.may_match(bloom_of(log_of('1', "a"))));
  EXPECT_FALSE(filter.may_match(bloom_of(log_of('1', "b"))));
  EXPECT_FALSE(filter.may_match(Bloom{}));
}

TEST(LogFilter, RefusesWhatIsNoFilter) {
  const std::string a = topic('a');
  std::string many = "[";
  for (int i = 0; i < 1001; ++i) many += (i == 0 ? "" : ",") + a;
  many += "]";
  const std::vector<std::string> bad = {
      "[]",
      "[null]",
      "[7]",
      R"([{"address":"0x12"}])",
      R"([{"address":[["0x1111111111111111111111111111111111111111"]]}])",
      R"([{"topics":"0x12"}])",
      R"([{"topics":["0x12"]}])",
      "[{\"topics\":[[[" + a + "]]]}]",
      "[{\"topics\":[" + a + "," + a + "," + a + "," + a + "," + a + "]}]",
      "[{\"topics\":[" + many + "]}]",
      R"([{"fromBlock":"soon"}])",
      "[{\"blockHash\":" + a + R"(,"fromBlock":"0x1"}])",
  };
  for (const std::string& json : bad) {
    Params params(json);
    params.logs(0);
    ASSERT_TRUE(params.error()) << json;
    EXPECT_EQ(params.error()->code, -32602);
  }
  many.erase(many.find_last_of(','), a.size() + 1);
  Params params("[{\"topics\":[" + many + "]}]");
  EXPECT_EQ(params.logs(0).filter.topics.at(0).size(), 1000U);
  EXPECT_FALSE(params.error());
}

TEST(Params, SayWhatWasWrong) {
  Params address(R"(["0x12"])");
  address.address(0);
  EXPECT_EQ(address.error()->message,
            R"(invalid argument 0: "0x12" is not an address (0x and 40 hexadecimal digits))");
  Params missing("");
  missing.hash(0);
  EXPECT_EQ(missing.error()->message, "missing value for required argument 0");
  Params object(R"({"a":1})");
  EXPECT_EQ(object.error()->message, "non-array args");
  Params broken("[1");
  EXPECT_EQ(broken.error()->code, -32602);
  Params deep(std::string(100'000, '['));
  EXPECT_EQ(deep.error()->message, "invalid params: nested too deeply");
}

TEST(Params, TakeBlocksInEveryForm) {
  using Kind = BlockReference::Kind;
  const std::string hash = topic('a');
  Params params(R"(["latest","earliest","pending","safe","finalized","0x10",)" + hash +
                R"(,{"blockNumber":"0x2"},)" + R"({"blockHash":)" + hash + R"(,"requireCanonical":true}])");
  const std::vector<Kind> kinds = {Kind::latest, Kind::earliest, Kind::pending, Kind::safe, Kind::finalized,
                                   Kind::number, Kind::hash,     Kind::number,  Kind::hash};
  for (std::size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(params.block(i).kind, kinds[i]) << i;
  EXPECT_EQ(params.block(5).number, 16U);
  EXPECT_TRUE(params.block(8).require_canonical);
  EXPECT_FALSE(params.error());
  for (const char* bad : {R"(["0x010"])", R"(["16"])", "[16]", R"(["newest"])", R"([{}])"}) {
    Params wrong(bad);
    wrong.block(0);
    EXPECT_TRUE(wrong.error()) << bad;
  }
}

}  // namespace
}  // namespace fanfare::devchain
