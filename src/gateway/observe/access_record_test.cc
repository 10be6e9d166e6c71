#include "gateway/observe/access_record.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fanfare::gateway {
namespace {

AccessRecord call() {
  return {.kind = AccessRecord::Kind::call,
          .at = WallTime(std::chrono::milliseconds(1'790'000'000'123)),
          .address = "127.0.0.1:5",
          .protocol = "http",
          .place = "main/1",
          .principal = "ann",
          .method = "eth_call",
          .error_code = -32005,
          .took = std::chrono::microseconds(1500),
          .bytes_in = 10,
          .bytes_out = 20,
          .upstream = "alchemy",
          .attempts = 2,
          .cache = "shared",
          .request_id = "r1",
          .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"};
}

TEST(AccessRecord, IsOneLineOfJson) {
  EXPECT_EQ(
      access_line_of(call(), log::Format::json),
      R"({"ts":"2026-09-21T14:13:20.123Z","kind":"call","address":"127.0.0.1:5","protocol":"http","network":"main/1",)"
      R"("principal":"ann","method":"eth_call","error_code":-32005,"duration_us":1500,"bytes_in":10,"bytes_out":20,)"
      R"("upstream":"alchemy","attempts":2,"cache":"shared","request_id":"r1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"})"
      "\n");
}

TEST(AccessRecord, IsOneLineOfText) {
  EXPECT_EQ(access_line_of(call(), log::Format::text),
            "2026-09-21T14:13:20.123Z call address=127.0.0.1:5 protocol=http network=main/1 principal=ann "
            "method=eth_call error_code=-32005 duration_us=1500 bytes_in=10 bytes_out=20 upstream=alchemy "
            "attempts=2 cache=shared request_id=r1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n");
}

TEST(AccessRecord, CannotBeForgedByAMethod) {
  AccessRecord record = call();
  record.method = "eth\n2026-09-21T14:13:20Z call \"x\":1}\xff" + std::string(10'000, 'm');
  for (const log::Format format : {log::Format::json, log::Format::text}) {
    const std::string line = access_line_of(record, format);
    EXPECT_EQ(std::ranges::count(line, '\n'), 1) << line;
    EXPECT_LT(line.size(), 800U);
  }
}

TEST(AccessRecord, SaysHowManyLinesWereDropped) {
  EXPECT_EQ(access_line_of({.kind = AccessRecord::Kind::dropped, .lines = 7}, log::Format::text),
            "1970-01-01T00:00:00.000Z dropped lines=7\n");
}

TEST(AccessRecord, ShowsNoKeyOfAPath) {
  EXPECT_EQ(shown_path("/main/evm/1"), "/main/evm/1");
  EXPECT_EQ(shown_path("/main/evm/1/SECRET"), "/main/evm/1/***");
  EXPECT_EQ(shown_path("/main/evm/1/SECRET/more"), "/main/evm/1/***");
  EXPECT_EQ(shown_path("/main/evm/1/"), "/main/evm/1");
  EXPECT_EQ(shown_path("/main/evm/1?apikey=SECRET"), "/main/evm/1");
  EXPECT_EQ(shown_path("/" + std::string(15, 'x')), "/" + std::string(15, 'x'));
  EXPECT_EQ(shown_path("/" + std::string(25, 'x')), "/***");
  EXPECT_EQ(shown_path("/"), "/");
  EXPECT_EQ(shown_path("*"), "*");
  EXPECT_EQ(shown_path("SECRET.example:443"), "-");
}

}  // namespace
}  // namespace fanfare::gateway
