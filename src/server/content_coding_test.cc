#include "server/content_coding.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::server {
namespace {

TEST(ContentCoding, OnlyABodyWithAnotherCodingThanIdentityIsRefused_RFC9110_8_4) {
  const struct {
    std::vector<HeaderField> headers;
    const char* body;
    bool refused;
  } cases[] = {
      {{}, "{}", false},
      {{{"Content-Encoding", "identity"}}, "{}", false},
      {{{"content-encoding", "IDENTITY"}}, "{}", false},
      {{{"Content-Encoding", ""}}, "{}", false},
      {{{"Content-Encoding", "gzip"}}, "", false},
      {{{"Content-Encoding", "gzip"}}, "{}", true},
      {{{"content-encoding", "br"}}, "{}", true},
      {{{"Content-Encoding", "identity, gzip"}}, "{}", true},
      {{{"Content-Encoding", "identity"}, {"Content-Encoding", "deflate"}}, "{}", true},
      {{{"Transfer-Encoding", "chunked"}}, "{}", false},
  };
  for (const auto& [headers, body, refused] : cases) {
    http::Request request;
    request.headers = headers;
    request.body = as_bytes(body);
    const auto answer = refuse_content_coding(request);
    ASSERT_EQ(answer.has_value(), refused) << (headers.empty() ? "" : headers.back().value);
    if (!answer) continue;
    EXPECT_EQ(answer->status, 415);
    EXPECT_EQ(answer->headers.front().name, "Accept-Encoding");
    EXPECT_EQ(answer->headers.front().value, "identity");
  }
}

}  // namespace
}  // namespace fanfare::server
