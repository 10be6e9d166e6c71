#include "session/http_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fanfare::session {
namespace {

using testing::HasSubstr;

// The log lines about the response. Each test uses different names and statuses, since a process logs each
// once.
std::string logged(const HttpResponse& response) {
  testing::internal::CaptureStderr();
  answer_of(response);
  return testing::internal::GetCapturedStderr();
}

TEST(HttpAnswer, WhatIsLeftOutIsLoggedOnce) {
  const HttpResponse response{.body = "b",
                              .headers = {{"X-Split", "1\r\nX: 2"}, {"Trailer", "X"}, {"X-Good", "y"}}};
  const std::string first = logged(response);
  EXPECT_THAT(first, HasSubstr("response_header_left_out name=X-Split reason=malformed_value"));
  EXPECT_THAT(first, HasSubstr("response_header_left_out name=Trailer reason=written_by_engine"));
  EXPECT_EQ(first.find("X-Good"), std::string::npos);
  EXPECT_EQ(first.find("X: 2"), std::string::npos) << "a value may be a peer's, or a secret";
  EXPECT_EQ(logged(response), "");
  EXPECT_EQ(answer_of(response).headers.size(), 2U);
}

TEST(HttpAnswer, AMalformedNameIsLoggedOnceWhateverItIs) {
  EXPECT_THAT(logged({.headers = {{"X Bad", "1"}}}), HasSubstr("name=\"X Bad\" reason=malformed_name"));
  EXPECT_EQ(logged({.headers = {{"Y Bad", "1"}}}), "");
}

TEST(HttpAnswer, AnInvalidStatusIsLoggedOnce) {
  EXPECT_THAT(logged({.status = 1000, .headers = {}}), HasSubstr("response_status_invalid status=1000"));
  EXPECT_EQ(logged({.status = 1000, .headers = {}}), "");
  EXPECT_THAT(logged({.status = -1, .headers = {}}), HasSubstr("status=-1"));
  EXPECT_THAT(logged({.status = 204, .body = "b", .headers = {}}),
              HasSubstr("status=204 body_bytes=1 sent=500"));
  EXPECT_EQ(logged({.status = 204, .headers = {}}), "");
}

TEST(HttpAnswer, TheLogHasAnEnd) {
  std::size_t lines = 0;
  for (int i = 0; i < 200; ++i) {
    if (!logged({.headers = {{"X-Many-" + std::to_string(i), "\n"}}}).empty()) ++lines;
  }
  EXPECT_LE(lines, kAnswerFaultsLoggedMax);
  EXPECT_GE(lines, kAnswerFaultsLoggedMax / 2);
}

}  // namespace
}  // namespace fanfare::session
