#include "eth/log_filter.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::eth {
namespace {

const std::string kAlice = "0x" + std::string(39, '0') + "a";
const std::string kBob = "0x" + std::string(39, '0') + "b";
std::string topic(char digit) {
  return "0x" + std::string(63, '0') + digit;
}
std::string in_quotes(const std::string& text) {
  return '"' + text + '"';
}

LogKey log_of(const std::string& address, const std::string& topics) {
  LogKey log{.address = parse_address(address).value(), .block_number = 100};
  for (const char digit : topics) log.topics[log.topic_count++] = parse_hash(topic(digit)).value();
  return log;
}

LogFilter filter(const std::string& json) {
  auto parsed = parse_log_filter(json);
  EXPECT_TRUE(parsed) << json << ": " << (parsed ? "" : parsed.error());
  return parsed.value_or(LogFilter{});
}

TEST(LogFilter, WithoutConditionsMatchesEverything) {
  for (const char* json :
       {"", "null", "{}", R"({"address":null,"topics":null})", R"({"address":[],"topics":[]})",
        R"({"fromBlock":"latest","toBlock":"latest"})", R"({"fromBlock":"earliest"})", R"({"unknown":1})",
        R"({"fromBlock":null,"toBlock":null,"blockHash":null})"}) {
    EXPECT_TRUE(filter(json).matches(log_of(kAlice, ""))) << json;
    EXPECT_TRUE(filter(json).matches(log_of(kBob, "1234"))) << json;
    EXPECT_EQ(filter(json).canonical(), "{}") << json;
  }
}

TEST(LogFilter, AddressIsOneOrAnyOfSeveralInEitherCase) {
  std::string checksummed = kAlice;
  checksummed.back() = 'A';
  const LogFilter one = filter(R"({"address":)" + in_quotes(checksummed) + "}");
  EXPECT_TRUE(one.matches(log_of(kAlice, "1")));
  EXPECT_FALSE(one.matches(log_of(kBob, "1")));
  const LogFilter both = filter(R"({"address":[)" + in_quotes(kBob) + "," + in_quotes(kAlice) + "]}");
  EXPECT_TRUE(both.matches(log_of(kAlice, "")));
  EXPECT_TRUE(both.matches(log_of(kBob, "")));
}

TEST(LogFilter, PositionsAreOneAnyOrAlternatives) {
  const LogFilter some =
      filter(R"({"topics":[null,[)" + in_quotes(topic('1')) + "," + in_quotes(topic('2')) + "]]}");
  EXPECT_TRUE(some.matches(log_of(kAlice, "91")));
  EXPECT_TRUE(some.matches(log_of(kAlice, "925")));
  EXPECT_FALSE(some.matches(log_of(kAlice, "93")));
  EXPECT_FALSE(some.matches(log_of(kAlice, "1")));
  const LogFilter empty_list = filter(R"({"topics":[[],)" + in_quotes(topic('1')) + "]}");
  EXPECT_TRUE(empty_list.matches(log_of(kAlice, "71")));
}

TEST(LogFilter, ALogWithFewerTopicsThanPositionsDoesNotMatchTrailingNullsCounted) {
  const LogFilter two = filter(R"({"topics":[)" + in_quotes(topic('1')) + ",null]}");
  EXPECT_FALSE(two.matches(log_of(kAlice, "1")));
  EXPECT_TRUE(two.matches(log_of(kAlice, "12")));
  EXPECT_NE(two.canonical(), filter(R"({"topics":[)" + in_quotes(topic('1')) + "]}").canonical());
  EXPECT_FALSE(filter(R"({"topics":[null]})").matches(log_of(kAlice, "")));
}

TEST(LogFilter, ANullAmongAlternativesMakesThePositionAnythingAndEndsItsReading) {
  const LogFilter any = filter(R"({"topics":[[)" + in_quotes(topic('1')) + R"(,null,"garbage"]]})");
  EXPECT_TRUE(any.matches(log_of(kAlice, "9")));
  EXPECT_FALSE(any.matches(log_of(kAlice, "")));
  EXPECT_FALSE(parse_log_filter(R"({"topics":[["garbage",null]]})"));
}

TEST(LogFilter, BlockNumbersBoundAndTagsDoNot) {
  const LogFilter bounded = filter(R"({"fromBlock":"0x64","toBlock":"0x65"})");
  LogKey log = log_of(kAlice, "");
  EXPECT_TRUE(bounded.matches(log));
  log.block_number = 99;
  EXPECT_FALSE(bounded.matches(log));
  log.block_number = 102;
  EXPECT_FALSE(bounded.matches(log));
  EXPECT_FALSE(parse_log_filter(R"({"fromBlock":"0x65","toBlock":"0x64"})"));
}

// geth's UnmarshalJSON of FilterCriteria and SubscribeLogs.
TEST(LogFilter, RangesThatGethRefusesAreRefused) {
  const auto why = [](const std::string& json) {
    const auto parsed = parse_log_filter(json);
    return parsed ? "accepted" : parsed.error();
  };
  for (const char* range :
       {R"({"toBlock":"0x64"})", R"({"toBlock":"earliest"})", R"({"fromBlock":"latest","toBlock":"0x64"})",
        R"({"fromBlock":"latest","toBlock":"earliest"})", R"({"fromBlock":"0x65","toBlock":"0x64"})",
        R"({"fromBlock":"0x1","toBlock":"earliest"})", R"({"fromBlock":"safe"})",
        R"({"fromBlock":"finalized"})", R"({"toBlock":"safe"})", R"({"toBlock":"finalized"})",
        R"({"fromBlock":"0x1","toBlock":"finalized"})", R"({"fromBlock":"safe","toBlock":"0x64"})",
        R"({"fromBlock":"finalized","toBlock":"safe"})"}) {
    EXPECT_EQ(why(range), "invalid block range params") << range;
  }
  for (const char* range :
       {R"({"fromBlock":"pending"})", R"({"toBlock":"pending"})",
        R"({"fromBlock":"0x1","toBlock":"pending"})", R"({"fromBlock":"pending","toBlock":"pending"})",
        R"({"fromBlock":"latest","toBlock":"pending"})"}) {
    EXPECT_EQ(why(range), "pending logs are not supported") << range;
  }
  EXPECT_EQ(why(R"({"fromBlock":"0x05"})"), "invalid fromBlock: hex number with leading zero digits");
  EXPECT_EQ(why(R"({"fromBlock":""})"), "invalid fromBlock: empty hex string");
  EXPECT_EQ(why(R"({"toBlock":"0x"})"), "invalid toBlock: hex string \"0x\"");
  EXPECT_EQ(why(R"({"toBlock":"5"})"), "invalid toBlock: hex string without 0x prefix");
  EXPECT_EQ(why(R"({"toBlock":"Latest"})"), "invalid toBlock: hex string without 0x prefix");
  EXPECT_EQ(why(R"({"fromBlock":"0xg"})"), "invalid fromBlock: invalid hex string");
  EXPECT_EQ(why(R"({"fromBlock":"0x8000000000000000"})"),
            "invalid fromBlock: block number larger than int64");
  EXPECT_EQ(why(R"({"fromBlock":"0x10000000000000000"})"),
            "invalid fromBlock: block number larger than int64");
  const std::string hash = in_quotes(topic('1'));
  for (const char* bound : {R"("toBlock":"0x5")", R"("fromBlock":"latest")", R"("toBlock":"earliest")"}) {
    EXPECT_EQ(why("{\"blockHash\":" + hash + "," + bound + "}"),
              "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other");
  }
}

TEST(LogFilter, RangesThatGethTakesAreTaken) {
  for (const char* range :
       {R"({"fromBlock":"0x0"})", R"({"fromBlock":"0x7fffffffffffffff"})",
        R"({"fromBlock":"0x64","toBlock":"latest"})", R"({"fromBlock":"earliest","toBlock":"0x64"})",
        R"({"fromBlock":"0x64","toBlock":"0x64"})", R"({"fromBlock":"earliest","toBlock":"earliest"})"}) {
    EXPECT_TRUE(parse_log_filter(range)) << range;
  }
  EXPECT_TRUE(parse_log_filter("{\"blockHash\":" + in_quotes(topic('1')) + ",\"fromBlock\":null}"));
  EXPECT_EQ(filter(R"({"fromBlock":"earliest","toBlock":"0x0"})").to_block, 0U);
}

TEST(LogFilter, WhatMeansTheSameIsTheSame) {
  const LogFilter one =
      filter(R"({"address":[)" + in_quotes(kBob) + "," + in_quotes(kAlice) + "," + in_quotes(kBob) +
             R"(],"topics":[[)" + in_quotes(topic('b')) + "," + in_quotes(topic('a')) + "],[]]}");
  const LogFilter other = filter(R"({"topics":[[)" + in_quotes(topic('A')) + "," + in_quotes(topic('B')) +
                                 R"(],null],"address":[)" + in_quotes(kAlice) + "," + in_quotes(kBob) + "]}");
  EXPECT_EQ(one, other);
  EXPECT_EQ(one.canonical(), other.canonical());
  EXPECT_EQ(filter(one.canonical()), one);  // the text parses again
  EXPECT_EQ(filter(R"({"address":[)" + in_quotes(kAlice) + "]}"),
            filter(R"({"address":)" + in_quotes(kAlice) + "}"));
}

TEST(LogFilter, BadFiltersSayWhy) {
  const auto why = [](const std::string& json) {
    const auto parsed = parse_log_filter(json);
    return parsed ? "accepted" : parsed.error();
  };
  EXPECT_EQ(why("[]"), "the filter must be an object");
  EXPECT_EQ(why("true"), "the filter must be an object");
  EXPECT_EQ(why(R"({"address":7})"), "invalid addresses in query");
  EXPECT_EQ(why(R"({"address":"0x12"})"), "invalid address: must be 20 bytes of hex");
  EXPECT_EQ(why(R"({"address":[null]})"), "non-string address at index 0");
  EXPECT_EQ(why(R"({"address":["zz"]})"), "invalid address at index 0: must be 20 bytes of hex");
  EXPECT_EQ(why(R"({"topics":{}})"), "invalid topics in query");
  EXPECT_EQ(why(R"({"topics":[7]})"), "invalid topic(s)");
  EXPECT_EQ(why(R"({"topics":[[7]]})"), "invalid topic(s)");
  EXPECT_EQ(why(R"({"topics":["0x12"]})"), "invalid topic: must be 32 bytes of hex");
  EXPECT_EQ(why(R"({"topics":[null,null,null,null]})"), "accepted");
  EXPECT_EQ(why(R"({"topics":[null,null,null,null,null]})"), "exceed max topics");
  EXPECT_EQ(why(R"({"fromBlock":12})"), "invalid fromBlock: a block must be a tag or a quantity");
  EXPECT_EQ(why(R"({"blockHash":"0x1"})"), "invalid blockHash");
}

TEST(LogFilter, AThousandAlternativesAreAllowedAndOneMoreIsNot) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += (i > 0 ? "," : "") + in_quotes(topic('1'));
  EXPECT_TRUE(parse_log_filter(R"({"topics":[[)" + many + "]]}"));
  EXPECT_FALSE(parse_log_filter(R"({"topics":[[)" + many + "," + in_quotes(topic('1')) + "]]}"));
}

}  // namespace
}  // namespace fanfare::eth
