// The cookie file moves, goes and comes while the gateway runs.

#include <filesystem>
#include <fstream>

#include "access/plan.h"
#include "gateway/reload/reload_world_for_tests.h"
#include "ws/base64.h"

namespace fanfare::gateway {
namespace {

class CookieReloadTest : public ReloadWorld {
 protected:
  void SetUp() override {
    ReloadWorld::SetUp();
    auto access = std::make_shared<access::AccessPlan>();
    access->roles = {{.role = {.name = "reader", .methods = {.allow = {"*"}}, .projects = {.allow = {"*"}}}}};
    plan_.access = access;
    plan_.cookie_file = file("old");
    plan_.cookie_roles = {"reader"};
  }
  static std::string file(const std::string& name) {
    return std::filesystem::temp_directory_path() /
           ("fanfare-cookie-" + std::to_string(::getpid()) + "-" + name);
  }
  static std::string content_of(const std::string& name) {
    std::ifstream in(file(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string header_of(const std::string& cookie) {
    return "Authorization: Basic " + ws::base64_encode(as_bytes(cookie)) + "\r\n";
  }
  std::string status_with(const std::string& cookie) const {
    RawClient client(port());
    client.write("POST " + path("main") + " HTTP/1.1\r\nHost: localhost\r\n" + header_of(cookie) +
                 "Content-Length: " + std::to_string(kChainId.size()) + "\r\n\r\n" + std::string(kChainId));
    return client.read_answer(false).substr(9, 3);
  }
};

TEST_P(CookieReloadTest, AnotherFileHasAnotherPasswordAndTheEarlierOneIsWorthless) {
  start();
  const std::string before = content_of("old");
  EXPECT_EQ(status_with(before), "200");
  RawClient socket(port());
  EXPECT_THAT(socket.upgrade(path("main"), header_of(before)), StartsWith("HTTP/1.1 101 "));
  plan_.cookie_file = file("new");
  EXPECT_THAT(reload(), ElementsAre("~ access.cookieFile: " + file("old") + " -> " + file("new")));
  EXPECT_FALSE(std::filesystem::exists(file("old")));
  const std::string after = content_of("new");
  EXPECT_THAT(after, StartsWith("__cookie__:"));
  EXPECT_NE(after, before);
  EXPECT_EQ(status_with(after), "200");
  EXPECT_EQ(status_with(before), "401");
  EXPECT_THAT(socket.receive(), StartsWith("close 1008 "));

  // One that cannot be written changes nothing.
  ServePlan wanted = plan_;
  wanted.cookie_file = "/no/such/directory/cookie";
  wanted.networks.pop_back();
  EXPECT_THAT(gateway_->reload(wanted).refusal, HasSubstr("cannot write the cookie file /no/such/directory"));
  EXPECT_EQ(content_of("new"), after);
  EXPECT_EQ(status_with(after), "200");
  EXPECT_EQ(gateway_->states().size(), 2U);

  // A file that somebody else wrote is refused, too.
  std::ofstream(file("precious")) << "precious";
  wanted.cookie_file = file("precious");
  EXPECT_EQ(gateway_->reload(wanted).refusal,
            "cannot write the cookie file " + file("precious") +
                ": it is not a cookie file, expected a cookie file or a name that does not exist yet");
  EXPECT_EQ(content_of("precious"), "precious");
  std::filesystem::remove(file("precious"));

  plan_.cookie_file.clear();
  EXPECT_THAT(reload(), ElementsAre("~ access.cookieFile: " + file("new") + " -> none"));
  EXPECT_FALSE(std::filesystem::exists(file("new")));
  EXPECT_EQ(status_with(after), "401");
}

// Keys and roles are also read again by themselves; the file waits for a reload of everything.
TEST_P(CookieReloadTest, AReloadOfKeysAloneLeavesTheFile) {
  start();
  const std::string cookie = content_of("old");
  ServePlan wanted = plan_;
  wanted.cookie_file = file("new");
  EXPECT_TRUE(gateway_->reload_access(wanted));
  EXPECT_EQ(content_of("old"), cookie);
  EXPECT_EQ(status_with(cookie), "200");
}

INSTANTIATE_TEST_SUITE_P(Loops, CookieReloadTest,
                         ::testing::Values(net::LoopKind::epoll, net::LoopKind::uring), name_of_loop);

}  // namespace
}  // namespace fanfare::gateway
