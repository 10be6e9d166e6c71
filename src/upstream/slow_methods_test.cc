#include "upstream/slow_methods.h"

#include <gtest/gtest.h>

#include <string>

namespace fanfare::upstream {
namespace {

using namespace std::chrono_literals;

TEST(SlowMethods, AreThoseWhoseCallsTakeLong) {
  SlowMethods methods;
  EXPECT_FALSE(methods.is_slow("eth_call"));
  methods.note("eth_call", SlowMethods::kSlowAfter);
  EXPECT_FALSE(methods.is_slow("eth_call"));
  methods.note("eth_call", SlowMethods::kSlowAfter + 8ms);
  EXPECT_TRUE(methods.is_slow("eth_call"));
  EXPECT_FALSE(methods.is_slow("eth_getBalance"));
}

TEST(SlowMethods, OneSlowCallAmongFastOnesChangesNothing) {
  SlowMethods methods;
  for (int i = 0; i < 20; ++i) methods.note("eth_call", 2ms);
  methods.note("eth_call", 1s);
  EXPECT_FALSE(methods.is_slow("eth_call"));
  methods.note("eth_call", 30s);
  EXPECT_TRUE(methods.is_slow("eth_call"));
  for (int i = 0; i < 30; ++i) methods.note("eth_call", 2ms);
  EXPECT_FALSE(methods.is_slow("eth_call"));
}

TEST(SlowMethods, SearchesAndReplaysArePresumedSlowUntilMeasured) {
  SlowMethods methods;
  for (const char* method : {"eth_getLogs", "debug_traceTransaction", "trace_filter"}) {
    EXPECT_TRUE(methods.is_slow(method)) << method;
    for (int i = 0; i < 20; ++i) methods.note(method, 5ms);
    EXPECT_FALSE(methods.is_slow(method)) << method;
  }
}

TEST(SlowMethods, MeasuresABoundedNumberOfNames) {
  SlowMethods methods;
  for (std::size_t i = 0; i < SlowMethods::kMethodsMax; ++i) methods.note("m" + std::to_string(i), 1s);
  methods.note("one_more", 1s);
  EXPECT_TRUE(methods.is_slow("m" + std::to_string(SlowMethods::kMethodsMax - 1)));
  EXPECT_FALSE(methods.is_slow("one_more"));
}

}  // namespace
}  // namespace fanfare::upstream
