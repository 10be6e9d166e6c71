#include "gateway/routes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fanfare::gateway {
namespace {

ServePlan two_projects() {
  ServePlan plan;
  plan.listeners = {{.surface = Surface::routed}};
  plan.networks = {{.project = "main", .chain_id = 1, .backend = DevBackend{}},
                   {.project = "main", .chain_id = 137, .backend = DevBackend{}},
                   {.project = "other", .chain_id = 1, .backend = DevBackend{}}};
  return plan;
}

struct Case {
  std::string_view method;
  std::string_view target;
  bool upgrade;
  Action action;
  int status = 0;  // of a refusal
  std::size_t network = 0;
  std::string_view allow = {};
};

void expect_all(const ServePlan& plan, Surface surface, const std::vector<Case>& cases) {
  const Routes routes(plan);
  for (const Case& one : cases) {
    const Route route = routes.decide(
        surface, {.method = one.method, .target = one.target, .asks_for_websocket = one.upgrade});
    const std::string name = std::string(one.method) + " " + std::string(one.target);
    EXPECT_EQ(route.action, one.action) << name;
    EXPECT_EQ(route.status, one.status) << name;
    EXPECT_EQ(route.network, one.network) << name;
    EXPECT_EQ(route.allow, one.allow) << name;
    EXPECT_EQ(route.explanation.empty(), one.action != Action::refuse) << name;
  }
}

TEST(Routes, OnePortForEverything) {
  expect_all(two_projects(), Surface::routed,
             {
                 {"POST", "/main/evm/1", false, Action::rpc, 0, 0},
                 {"POST", "/main/evm/137", false, Action::rpc, 0, 1},
                 {"POST", "/other/evm/1", false, Action::rpc, 0, 2},
                 {"POST", "/other/evm/1?apikey=x", false, Action::rpc, 0, 2},
                 {"POST", "/other/evm/1/", false, Action::rpc, 0, 2},
                 {"POST", "/main/evm/1", true, Action::rpc, 0, 0},
                 {"POST", "http://any.example:1/main/evm/137?a=/b", false, Action::rpc, 0, 1},
                 {"GET", "/main/evm/137", true, Action::websocket, 0, 1},
                 {"GET", "/main/evm/137?token=a/b", true, Action::websocket, 0, 1},
                 {"GET", "/main/evm/1", false, Action::refuse, 426},
                 {"OPTIONS", "/main/evm/1", false, Action::preflight, 0, 0, "GET, POST, OPTIONS"},
                 {"OPTIONS", "*", false, Action::preflight, 0, 0, "GET, POST, OPTIONS"},
                 {"GET", "*", false, Action::refuse, 405, 0, "OPTIONS"},
                 {"PUT", "/main/evm/1", false, Action::refuse, 405, 0, "GET, POST, OPTIONS"},
                 {"HEAD", "/main/evm/1", false, Action::refuse, 405, 0, "GET, POST, OPTIONS"},
                 {"post", "/main/evm/1", false, Action::refuse, 405, 0, "GET, POST, OPTIONS"},
                 {"DELETE", "/main/evm/1", true, Action::refuse, 405, 0, "GET, POST, OPTIONS"},
                 {"GET", "/healthz", false, Action::healthz},
                 {"HEAD", "/healthz", false, Action::healthz},
                 {"GET", "/readyz?verbose", false, Action::readyz},
                 {"GET", "/metrics", false, Action::metrics},
                 {"GET", "http://any.example/metrics", false, Action::metrics},
                 {"POST", "/healthz", false, Action::refuse, 405, 0, "GET, HEAD, OPTIONS"},
                 {"OPTIONS", "/metrics", false, Action::preflight, 0, 0, "GET, HEAD, OPTIONS"},
                 {"GET", "/", false, Action::refuse, 404},
                 {"POST", "/", false, Action::refuse, 404},
                 {"GET", "http://any.example", false, Action::refuse, 404},
                 {"GET", "", false, Action::refuse, 404},
                 {"POST", "main/evm/1", false, Action::refuse, 404},
                 {"POST", "/nobody/evm/1", false, Action::refuse, 404},
                 {"GET", "/nobody/evm/1", true, Action::refuse, 404},
                 {"PUT", "/nobody/evm/1", false, Action::refuse, 404},
                 {"POST", "/other/evm/137", false, Action::refuse, 404},
                 {"POST", "/main/solana/1", false, Action::refuse, 404},
                 {"POST", "/main/evm", false, Action::refuse, 404},
                 {"POST", "/main/evm/", false, Action::refuse, 404},
                 {"POST", "/main/evm/01", false, Action::refuse, 404},
                 {"POST", "/main/evm/+1", false, Action::refuse, 404},
                 {"POST", "/main/evm/0x1", false, Action::refuse, 404},
                 {"POST", "/main/evm/1x", false, Action::refuse, 404},
                 {"POST", "/main/evm/99999999999999999999999", false, Action::refuse, 404},
                 {"POST", "/main/evm/1/extra", false, Action::refuse, 404},
                 {"POST", "//main/evm/1", false, Action::refuse, 404},
                 {"POST", "/main//evm/1", false, Action::refuse, 404},
                 {"POST", "/Main/evm/1", false, Action::refuse, 404},
                 {"GET", "/healthz/", false, Action::refuse, 404},
             });
}

TEST(Routes, WithoutWebSocketAnUpgradeIsAWrongMethod) {
  ServePlan plan = two_projects();
  plan.websocket.enabled = false;
  expect_all(plan, Surface::routed,
             {{"GET", "/main/evm/1", true, Action::refuse, 405, 0, "POST, OPTIONS"},
              {"GET", "/main/evm/1", false, Action::refuse, 405, 0, "POST, OPTIONS"},
              {"OPTIONS", "/main/evm/1", false, Action::preflight, 0, 0, "POST, OPTIONS"},
              {"POST", "/main/evm/1", false, Action::rpc}});
  expect_all(plan, Surface::rpc_websocket, {{"GET", "/", true, Action::refuse, 404}});
}

TEST(Routes, TheHttpPortOfTwo) {
  expect_all(two_projects(), Surface::rpc_http,
             {{"POST", "/", false, Action::rpc},
              {"POST", "/?key=1", false, Action::rpc},
              {"POST", "", false, Action::rpc},
              {"POST", "/", true, Action::rpc},
              {"POST", "/main/evm/1", false, Action::refuse, 404},
              {"GET", "/", false, Action::refuse, 405, 0, "POST, OPTIONS"},
              {"GET", "/", true, Action::refuse, 405, 0, "POST, OPTIONS"},
              {"OPTIONS", "/", false, Action::preflight, 0, 0, "POST, OPTIONS"},
              {"GET", "/healthz", false, Action::healthz},
              {"GET", "/readyz", false, Action::readyz},
              {"GET", "/metrics", false, Action::metrics}});
}

TEST(Routes, TheWebSocketPortOfTwo) {
  expect_all(two_projects(), Surface::rpc_websocket,
             {{"GET", "/", true, Action::websocket},
              {"GET", "/any/path?x", true, Action::websocket},
              {"GET", "/", false, Action::refuse, 426},
              {"GET", "/healthz", false, Action::refuse, 426},
              {"POST", "/", false, Action::refuse, 405, 0, "GET"},
              {"POST", "/", true, Action::refuse, 405, 0, "GET"},
              {"OPTIONS", "/", false, Action::refuse, 405, 0, "GET"}});
}

TEST(Routes, MetricsOnTheirOwnPortOrOff) {
  ServePlan plan = two_projects();
  plan.listeners.push_back({.surface = Surface::metrics});
  expect_all(plan, Surface::routed,
             {{"GET", "/metrics", false, Action::refuse, 404}, {"GET", "/healthz", false, Action::healthz}});
  expect_all(plan, Surface::metrics,
             {{"GET", "/metrics", false, Action::metrics},
              {"GET", "/healthz", false, Action::healthz},
              {"GET", "/readyz", false, Action::readyz},
              {"POST", "/main/evm/1", false, Action::refuse, 404},
              {"GET", "/main/evm/1", true, Action::refuse, 404}});
  ServePlan off = two_projects();
  off.metrics_enabled = false;
  expect_all(off, Surface::routed, {{"GET", "/metrics", false, Action::refuse, 404}});
}

TEST(Routes, HeadersOfTheAnswers_RFC9110_15_5_22) {
  ASSERT_EQ(upgrade_headers().size(), 1U);
  EXPECT_EQ(upgrade_headers()[0].name, "Upgrade");
  EXPECT_EQ(upgrade_headers()[0].value, "websocket");
}

}  // namespace
}  // namespace fanfare::gateway
