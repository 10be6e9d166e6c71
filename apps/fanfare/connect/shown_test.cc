#include "connect/shown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace fanfare::app {
namespace {

TEST(ConnectShown, NamesTextsAndValuesHaveColours) {
  EXPECT_EQ(coloured_json(R"({"a":"b: c","n":[1,true]})"),
            "{\x1B[34m\"a\"\x1B[0m:\x1B[32m\"b: c\"\x1B[0m,\x1B[34m\"n\"\x1B[0m:[\x1B[33m1\x1B[0m,"
            "\x1B[33mtrue\x1B[0m]}");
  EXPECT_EQ(coloured_json(R"("a\"b" )"), "\x1B[32m\"a\\\"b\"\x1B[0m ");
  EXPECT_EQ(coloured_json("-1.5e3"), "\x1B[33m-1.5e3\x1B[0m");
}

TEST(ConnectShown, OtherTextStaysAsItIs) {
  for (const char* text : {"hello", "", "{\"a\":", "\\x1b[31m"}) EXPECT_EQ(coloured_json(text), text);
}

constexpr std::string_view kHead =
    R"({"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":{"number":"0x4b4",)"
    R"("hash":"0x6d13a0f200000000000000000000000000000000000000000000000000000000","parentHash":"0x0",)"
    R"("timestamp":"0x0","gasUsed":"0x5208","gasLimit":"0xa410","baseFeePerGas":"0x3b9aca00"}}})";

TEST(ConnectShown, AHeadIsOneLine) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(head_line(kHead), "head 1204  0x6d13a0f2..00000000  00:00:00  gas 50.00 %  base fee 1.00 gwei");
}

TEST(ConnectShown, WhatAHeaderLacksIsLeftOut) {
  EXPECT_EQ(head_line(R"({"method":"eth_subscription","params":{"subscription":"0x1",)"
                      R"("result":{"number":"0x1","hash":"0x2","parentHash":"0x3"}}})"),
            "head 1  0x2");
}

// Nothing that is not a plain head may be shortened: it would be hidden.
TEST(ConnectShown, EverythingElseIsNoHead) {
  const auto with = [](std::string_view params) {
    return R"({"method":"eth_subscription","params":)" + std::string(params) + "}";
  };
  for (
      const std::string& text : {
          std::string("no JSON"),
          std::string(R"({"jsonrpc":"2.0","id":1,"result":"0x1"})"),
          with(R"({"subscription":"0x1","result":"0xabc"})"),
          with(R"({"subscription":"0x1","result":{"number":"0x1","hash":"0x2"}})"),
          with(R"({"subscription":"0x1","result":{"number":1,"hash":"0x2","parentHash":"0x3"}})"),
          with(R"({"subscription":"0x1","result":{"number":"0xg","hash":"0x2","parentHash":"0x3"}})"),
          with(R"({"subscription":"0x1","notice":{"type":"live"},"cursor":"A"})"),
          with(
              R"({"subscription":"0x1","result":{"number":"0x1","hash":"0x2","parentHash":"0x3"},"cursor":"A"})"),
      }) {
    EXPECT_EQ(head_line(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace fanfare::app
