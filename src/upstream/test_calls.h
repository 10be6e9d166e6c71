#pragma once
// For this room's tests: calls a backend from outside its worker and waits for the result.

#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>

#include "upstream/backend.h"
#include "upstream/worker.h"

namespace fanfare::upstream::testing {

inline constexpr const char* kAnswer = R"({"jsonrpc":"2.0","id":1,"result":"0x1"})";
inline const CallOptions kRead{.method = "eth_blockNumber", .repeat = Repeat::always};

inline void expect_failure(const Result& result, FailureKind kind) {
  ASSERT_FALSE(result.has_value()) << result->body;
  EXPECT_EQ(to_string(result.error().kind), to_string(kind)) << result.error().message;
}

inline Result ask(Worker& worker, Backend& backend, std::string body, CallOptions options = {}) {
  std::promise<Result> promise;
  std::future<Result> result = promise.get_future();
  worker.post([&backend, body = std::move(body), options = std::move(options),
               promise = std::move(promise)]() mutable {
    backend.call(std::move(body), std::move(options),
                 [promise = std::move(promise)](Result got) mutable { promise.set_value(std::move(got)); });
  });
  return result.get();
}

}  // namespace fanfare::upstream::testing
