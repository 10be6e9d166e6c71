#pragma once
// For this room's tests: every test of calls over HTTP runs with both clients, and ours on both loops.

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "upstream/http_node.h"
#include "upstream/worker.h"

namespace fanfare::upstream::testing {

struct HttpSetup {
  HttpClientChoice client;
  net::LoopKind loop;
};

class HttpClientsTest : public ::testing::TestWithParam<HttpSetup> {
 public:
  static WorkerOptions on_loop() { return {.loop_kind = GetParam().loop}; }
  static HttpOptions with_client(HttpOptions options) {
    options.client = GetParam().client;
    return options;
  }
  static bool is_builtin() { return GetParam().client == HttpClientChoice::builtin; }
};

inline std::string name_of_setup(const ::testing::TestParamInfo<HttpSetup>& info) {
  const std::string loop = info.param.loop == net::LoopKind::epoll ? "Epoll" : "Uring";
  return (info.param.client == HttpClientChoice::builtin ? "Builtin" : "Curl") + loop;
}

inline const auto kHttpSetups =
    ::testing::Values(HttpSetup{.client = HttpClientChoice::builtin, .loop = net::LoopKind::epoll},
                      HttpSetup{.client = HttpClientChoice::builtin, .loop = net::LoopKind::uring},
                      HttpSetup{.client = HttpClientChoice::libcurl, .loop = net::LoopKind::epoll},
                      HttpSetup{.client = HttpClientChoice::libcurl, .loop = net::LoopKind::uring});

}  // namespace fanfare::upstream::testing
