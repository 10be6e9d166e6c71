// Which request to a gateway's port reaches which network or page: a table, checked over real sockets.

#include "gateway/mounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "api/raw_client_for_tests.h"
#include "devchain/devchain.h"
#include "gateway/dev_node.h"
#include "gateway/gateway.h"
#include "gateway/mount_plans.h"
#include "gateway/web_page.h"

namespace fanfare::gateway {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Three development chains that are distinguished by their accounts.
ServePlan three_networks(std::vector<MountPlan> mounts) {
  ServePlan plan;
  plan.listeners = {{.mounts = std::move(mounts)}};
  plan.networks = {{.project = "main", .chain_id = 1, .backend = DevBackend{.seed = 1}},
                   {.project = "main", .chain_id = 137, .backend = DevBackend{.seed = 2}},
                   {.project = "other", .chain_id = 1, .backend = DevBackend{.seed = 3}}};
  plan.browsers = {.hosts = {"*"}, .origins = {"*"}};
  plan.loops = 1;
  return plan;
}

std::string first_account(const ServePlan& plan, std::size_t network) {
  const auto& dev = std::get<DevBackend>(plan.networks[network].backend);
  return devchain::DevChain::accounts_of(dev_options(dev, *plan.networks[network].chain_id)).front().address;
}

struct Case {
  std::string_view method;
  std::string_view target;
  bool upgrade = false;
  int status = 200;
  // For a JSON-RPC answer: its network.
  std::optional<std::size_t> network = {};
  std::string_view allow = {};
};

std::string ask(std::uint16_t port, const Case& one) {
  constexpr std::string_view kBody = R"({"jsonrpc":"2.0","id":1,"method":"eth_accounts","params":[]})";
  std::string headers = "Content-Type: application/json\r\n";
  if (one.upgrade) {
    headers +=
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  }
  api::RawClient client(port);
  if (one.method != "POST") return client.request(one.method, one.target, headers);
  client.write("POST " + std::string(one.target) + " HTTP/1.1\r\nHost: test\r\n" + headers +
               "Content-Length: " + std::to_string(kBody.size()) + "\r\n\r\n" + std::string(kBody));
  return client.read_answer(false);
}

void expect_all(const ServePlan& plan, const std::vector<Case>& cases) {
  Gateway gateway(plan);
  const auto started = gateway.start();
  ASSERT_TRUE(started) << started.error().message;
  for (const Case& one : cases) {
    const std::string name = std::string(one.method) + " " + std::string(one.target);
    const std::string said = ask(gateway.addresses().front().port(), one);
    EXPECT_THAT(said, StartsWith("HTTP/1.1 " + std::to_string(one.status) + " ")) << name;
    if (one.network) EXPECT_THAT(said, HasSubstr(first_account(plan, *one.network))) << name;
    if (!one.allow.empty()) EXPECT_THAT(said, HasSubstr("Allow: " + std::string(one.allow) + "\r\n")) << name;
    if (one.status == 426) EXPECT_THAT(said, HasSubstr("Upgrade: websocket\r\n")) << name;
  }
}

TEST(Mounts, OnePortForEverything) {
  expect_all(three_networks(routed_mounts(true)),
             {
                 {"POST", "/main/evm/1", false, 200, 0},
                 {"POST", "/main/evm/137", false, 200, 1},
                 {"POST", "/other/evm/1", false, 200, 2},
                 {"POST", "/other/evm/1?apikey=x", false, 200, 2},
                 {"POST", "/other/evm/1/", false, 200, 2},
                 {"POST", "/%6dain/evm/137", false, 200, 1},
                 {"POST", "/main/evm/1", true, 200, 0},
                 {"POST", "http://any.example:1/main/evm/137?a=/b", false, 200, 1},
                 {"GET", "/main/evm/137", true, 101},
                 {"GET", "/main/evm/137?token=a/b", true, 101},
                 {"GET", "/main/evm/1", false, 426},
                 {"OPTIONS", "/main/evm/1", false, 204},
                 {"OPTIONS", "*", false, 204},
                 {"GET", "*", false, 400},
                 {"PUT", "/main/evm/1", false, 405, {}, "GET, POST, OPTIONS"},
                 {"HEAD", "/main/evm/1", false, 405, {}, "GET, POST, OPTIONS"},
                 {"DELETE", "/main/evm/1", true, 405, {}, "GET, POST, OPTIONS"},
                 {"GET", "/healthz"},
                 {"HEAD", "/healthz"},
                 {"GET", "/readyz?network=none", false, 404},
                 {"GET", "/metrics"},
                 {"GET", "http://any.example/metrics"},
                 {"POST", "/healthz", false, 405, {}, "GET, HEAD, OPTIONS"},
                 {"OPTIONS", "/metrics", false, 204},
                 {"GET", "/", false, 404},
                 {"POST", "/", false, 404},
                 {"GET", "http://any.example", false, 404},
                 {"POST", "/nobody/evm/1", false, 404},
                 {"GET", "/nobody/evm/1", true, 404},
                 {"PUT", "/nobody/evm/1", false, 404},
                 {"POST", "/other/evm/137", false, 404},
                 {"POST", "/main/solana/1", false, 404},
                 {"POST", "/main/evm", false, 404},
                 {"POST", "/main/evm/", false, 404},
                 {"POST", "/main/evm/01", false, 404},
                 {"POST", "/main/evm/+1", false, 404},
                 {"POST", "/main/evm/0x1", false, 404},
                 {"POST", "/main/evm/1x", false, 404},
                 {"POST", "/main/evm/99999999999999999999999", false, 404},
                 {"POST", "/main/evm/1/extra", false, 404},
                 {"POST", "//main/evm/1", false, 404},
                 {"POST", "/main//evm/1", false, 404},
                 {"POST", "/Main/evm/1", false, 404},
                 {"POST", "/main/evm/%zz", false, 400},
                 {"GET", "/healthz/", false, 404},
             });
}

TEST(Mounts, WithoutWebSocketAnUpgradeIsAWrongMethod) {
  ServePlan plan = three_networks(routed_mounts(true));
  plan.websocket.enabled = false;
  expect_all(plan, {{"GET", "/main/evm/1", true, 405, {}, "POST, OPTIONS"},
                    {"GET", "/main/evm/1", false, 405, {}, "POST, OPTIONS"},
                    {"OPTIONS", "/main/evm/1", false, 204},
                    {"POST", "/main/evm/1", false, 200, 0}});
  plan.listeners.front().mounts = websocket_port_mounts();
  expect_all(plan, {{"GET", "/", true, 404}, {"GET", "/", false, 404}});
}

TEST(Mounts, TheFirstPortOfTwoHasEverythingAtItsRoot) {
  expect_all(three_networks(http_port_mounts(true)), {{"POST", "/", false, 200, 0},
                                                      {"POST", "/?key=1", false, 200, 0},
                                                      {"POST", "http://any.example", false, 200, 0},
                                                      {"POST", "/", true, 200, 0},
                                                      {"POST", "/main/evm/1", false, 404},
                                                      {"GET", "/", true, 101},
                                                      {"GET", "/?key=1", true, 101},
                                                      {"GET", "/main", true, 404},
                                                      {"GET", "/", false, 426},
                                                      {"PUT", "/", false, 405, {}, "GET, POST, OPTIONS"},
                                                      {"OPTIONS", "/", false, 204},
                                                      {"GET", "/healthz"},
                                                      {"GET", "/metrics"}});
}

std::vector<MountPlan> with_page(std::vector<MountPlan> mounts, const std::string& directory) {
  for (MountPlan& mount : web_mounts(directory, "1.2.3")) mounts.push_back(std::move(mount));
  return mounts;
}

// A folder with a page, removed at the end.
class PageFolder {
 public:
  PageFolder() {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    std::filesystem::create_directory(path_ + "/assets");
    std::ofstream(path_ + "/index.html") << "<title>page</title>";
    std::ofstream(path_ + "/assets/app-1a2b.js") << "export {};";
  }
  PageFolder(const PageFolder&) = delete;
  PageFolder& operator=(const PageFolder&) = delete;
  ~PageFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "fanfare-page-XXXXXX").string();
};

TEST(Mounts, ThePageIsWhereNothingElseIs) {
  const PageFolder page;
  const std::vector<Case> common{{"GET", "/"},
                                 {"HEAD", "/"},
                                 {"GET", "/index.html"},
                                 {"GET", "/assets/app-1a2b.js"},
                                 {"GET", "/assets/none.js", false, 404},
                                 {"GET", "/../etc/passwd", false, 404},
                                 {"GET", "/fanfare.json"},
                                 {"GET", "/metrics"},
                                 {"GET", "/healthz"},
                                 {"POST", "/fanfare.json", false, 405, {}, "GET, HEAD, OPTIONS"}};
  expect_all(three_networks(with_page(http_port_mounts(true), page.path())), common);
  expect_all(three_networks(with_page(http_port_mounts(true), page.path())),
             {{"POST", "/", false, 200, 0}, {"GET", "/", true, 101}});
  expect_all(three_networks(with_page(routed_mounts(true), page.path())), common);
  expect_all(three_networks(with_page(routed_mounts(true), page.path())),
             {{"POST", "/main/evm/137", false, 200, 1}, {"GET", "/main/evm/137", true, 101}});
  expect_all(three_networks(with_page(http_port_mounts(true), page.path() + "/none")),
             {{"GET", "/index.html", false, 404}, {"POST", "/", false, 200, 0}});
}

TEST(Mounts, ThePageHasAStrictPolicyAndItsAssetsAreCached) {
  const PageFolder page;
  Gateway gateway(three_networks(with_page(http_port_mounts(true), page.path())));
  ASSERT_TRUE(gateway.start());
  const std::uint16_t port = gateway.addresses().front().port();
  const std::string root = ask(port, {"GET", "/"});
  EXPECT_THAT(root, HasSubstr("Content-Security-Policy: " + std::string(kWebPagePolicy) + "\r\n"));
  EXPECT_EQ(kWebPagePolicy.find("unsafe"), std::string_view::npos);
  EXPECT_THAT(root, HasSubstr("Cache-Control: no-cache\r\n"));
  EXPECT_THAT(ask(port, {"GET", "/assets/app-1a2b.js"}),
              HasSubstr("Cache-Control: public, max-age=31536000"));
}

TEST(Mounts, ThePageLearnsWhatTheServerOffers) {
  ServePlan plan = three_networks(with_page(http_port_mounts(true), "/page"));
  plan.networks = {{.project = "main",
                    .chain_id = 1337,
                    .backend = DevBackend{.block_time = std::chrono::milliseconds(200)}}};
  EXPECT_EQ(
      about_text(plan, "1.2.3"),
      R"({"version":"1.2.3","networks":[{"project":"main","chain_id":1337,"path":"/",)"
      R"("development":{"block_time_ms":200}}],"streams":null,"canvas":null,"metrics":"/metrics","admin":null,)"
      R"("access":null})"
      "\n");
  plan.admin = AdminPlan{.listeners = {{.unix_path = "/run/a.sock"}}};
  EXPECT_THAT(about_text(plan, "1.2.3"), HasSubstr(R"("admin":{"path":null,"url":null})"));
  plan.admin->listeners.push_back({.host = "127.0.0.1", .port = 4001});
  EXPECT_THAT(about_text(plan, "1.2.3"),
              HasSubstr(R"("admin":{"path":null,"url":"http://127.0.0.1:4001/"})"));
  plan.admin.reset();
  plan.listeners.front().mounts = with_page(routed_mounts(false), "/page");
  plan.networks.push_back({.project = "other", .chain_id = 5, .backend = UpstreamBackend{}});
  EXPECT_THAT(about_text(plan, "1.2.3"),
              HasSubstr(R"({"project":"other","chain_id":5,"path":"/other/evm/5","development":null}],)"
                        R"("streams":null,"canvas":null,"metrics":null,"admin":null,"access":null})"));
  access::AccessPlan guarded;
  plan.access = std::make_shared<access::AccessPlan>(guarded);
  EXPECT_THAT(about_text(plan, "1.2.3"), HasSubstr(R"(,"access":{"anonymous":false}})"));
  guarded.anonymous_roles = {"reader"};
  plan.access = std::make_shared<access::AccessPlan>(guarded);
  EXPECT_THAT(about_text(plan, "1.2.3"), HasSubstr(R"(,"access":{"anonymous":true}})"));
}

TEST(Mounts, TheWebSocketPortOfTwo) {
  expect_all(three_networks(websocket_port_mounts()), {{"GET", "/", true, 101},
                                                       {"GET", "/any/path?x", true, 101},
                                                       {"GET", "/", false, 426},
                                                       {"GET", "/healthz", false, 426},
                                                       {"POST", "/", false, 405, {}, "GET"},
                                                       {"POST", "/", true, 405, {}, "GET"},
                                                       {"OPTIONS", "/", false, 405, {}, "GET"}});
}

TEST(Mounts, MetricsOnTheirOwnPortOrOff) {
  expect_all(three_networks(routed_mounts(false)), {{"GET", "/metrics", false, 404}, {"GET", "/healthz"}});
  expect_all(three_networks(page_mounts(true)), {{"GET", "/metrics"},
                                                 {"GET", "/healthz"},
                                                 {"POST", "/main/evm/1", false, 404},
                                                 {"GET", "/main/evm/1", true, 404},
                                                 {"GET", "/healthz", true, 404}});
  expect_all(three_networks(page_mounts(false)), {{"GET", "/metrics", false, 404}});
}

}  // namespace
}  // namespace fanfare::gateway
