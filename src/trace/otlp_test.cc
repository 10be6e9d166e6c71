#include "trace/otlp.h"

#include <gtest/gtest.h>

namespace fanfare::trace {
namespace {

// The ids and times of opentelemetry-proto's examples/trace.json.
Span example() {
  Span span;
  span.context.trace.bytes = {0x5B, 0x8E, 0xFF, 0xF7, 0x98, 0x03, 0x81, 0x03,
                              0xD2, 0x69, 0xB6, 0x33, 0x81, 0x3F, 0xC6, 0x0C};
  span.context.span.bytes = {0xEE, 0xE1, 0x9B, 0x7E, 0xC3, 0xC1, 0xB1, 0x74};
  span.parent.bytes = {0xEE, 0xE1, 0x9B, 0x7E, 0xC3, 0xC1, 0xB1, 0x73};
  span.name = "I'm a server span";
  span.begun = WallTime(Duration(1544712660000000000));
  span.ended = WallTime(Duration(1544712661000000000));
  span.attributes = {{.key = "my.span.attr", .value = std::string("some value")}};
  return span;
}

TEST(Otlp, WritesTheExampleOfTheSpecification) {
  const Resource resource{.attributes = {{.key = "service.name", .value = std::string("my.service")}},
                          .scope_name = "my.library",
                          .scope_version = "1.0.0"};
  const Span span = example();
  EXPECT_EQ(
      otlp_json_of(resource, {&span, 1}),
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my.service"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0"},"spans":[)"
      R"({"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",)"
      R"("parentSpanId":"eee19b7ec3c1b173","flags":0,"name":"I'm a server span","kind":2,)"
      R"("startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",)"
      R"("attributes":[{"key":"my.span.attr","value":{"stringValue":"some value"}}],"status":{}}]}]}]})");
}

TEST(Otlp, WritesNumbersAsTextAndErrorsWithTheirWords) {
  Span span = example();
  span.kind = SpanKind::client;
  span.parent = {};
  span.context.is_sampled = true;
  span.context.state = "a=1";
  span.attributes = {{.key = "n", .value = std::int64_t{-32005}}, {.key = "b", .value = true}};
  span.links = {{.trace = span.context.trace, .span = span.context.span}};
  span.is_error = true;
  span.error = "quote \" and \x01";
  const std::string json = otlp_json_of({}, {&span, 1});
  EXPECT_NE(json.find(R"("traceState":"a=1","flags":1)"), std::string::npos) << json;
  EXPECT_NE(json.find(R"("kind":3)"), std::string::npos);
  EXPECT_EQ(json.find("parentSpanId"), std::string::npos);
  EXPECT_NE(json.find(R"({"key":"n","value":{"intValue":"-32005"}},{"key":"b","value":{"boolValue":true}})"),
            std::string::npos)
      << json;
  EXPECT_NE(
      json.find(R"("links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}])"),
      std::string::npos);
  EXPECT_NE(json.find(R"("status":{"code":2,"message":"quote \" and \u0001"})"), std::string::npos) << json;
}

TEST(Otlp, WritesNoSpansAsAnEmptyList) {
  EXPECT_NE(otlp_json_of({}, {}).find("\"spans\":[]"), std::string::npos);
}

}  // namespace
}  // namespace fanfare::trace
