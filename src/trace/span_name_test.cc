#include "trace/span_name.h"

#include <gtest/gtest.h>

namespace fanfare::trace {
namespace {

TEST(SpanName, IsTheMethodOnlyIfItLooksLikeOne) {
  EXPECT_EQ(span_name_of("eth_getBlockByNumber"), "eth_getBlockByNumber");
  EXPECT_EQ(span_name_of("rpc.discover"), "rpc.discover");
  EXPECT_EQ(span_name_of(std::string(kSpanNameBytesMax, 'a')), std::string(kSpanNameBytesMax, 'a'));
  for (const std::string& invented : {std::string(), std::string(kSpanNameBytesMax + 1, 'a'),
                                      std::string("eth call"), std::string("\"}{"), std::string("\xff")}) {
    EXPECT_EQ(span_name_of(invented), "jsonrpc") << invented;
  }
}

}  // namespace
}  // namespace fanfare::trace
