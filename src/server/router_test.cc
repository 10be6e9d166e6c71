// Which mount a request reaches, and the router's own answers. Over a real connection, on both loops.

#include "server/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "session/loop_server_for_tests.h"

namespace fanfare::server {
namespace {

using session::EchoEndpoint;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct NamedGuest final : Admitted {
  std::string name;
};

// Admits those whose path or header has a name.
class NamedAdmission final : public Admission {
 public:
  std::expected<std::shared_ptr<Admitted>, session::HttpResponse> admit(const session::HttpConnection&,
                                                                        const http::Request& request,
                                                                        const PathPattern::Match&,
                                                                        bool is_upgrade) override {
    ++asked;
    const auto name = http::find_header(request.headers, "X-Name");
    if (!name) {
      return std::unexpected(
          session::HttpResponse{.status = 401, .body = is_upgrade ? "who upgrades?" : "who?", .headers = {}});
    }
    auto guest = std::make_shared<NamedGuest>();
    guest->name = *name;
    return guest;
  }
  int asked = 0;
};

// Answers with its name and its arguments.
class NamedMount final : public Mount {
 public:
  NamedMount(std::string name, std::string methods, EchoEndpoint* endpoint = nullptr)
      : name_(std::move(name)), methods_(std::move(methods)), endpoint_(endpoint) {}

  std::string missing;
  const BrowserRules* browsers = nullptr;
  bool is_open = false;
  std::vector<std::string> foreign;

  Offer offer(const PathPattern::Match&) const override {
    return {.methods = methods_,
            .has_websocket = endpoint_ != nullptr,
            .missing = missing,
            .browsers = browsers,
            .is_open = is_open};
  }
  void on_request(session::HttpConnection& session, const Target& target) override {
    std::string body = name_ + (target.caller == Caller::known_page ? " page" : "");
    for (const http::Parameter& value : target.match.parameters) body += " " + value.name + "=" + value.value;
    if (target.admitted != nullptr) body += " " + static_cast<const NamedGuest&>(*target.admitted).name;
    session.respond({.body = body + (target.on_loopback ? " local" : ""), .headers = {}});
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection&, const Target&) override {
    return session::Acceptance{.endpoint = endpoint_, .policy = &policy_, .data = nullptr};
  }
  void on_foreign(const PathPattern::Match&, Foreign why, bool is_upgrade) override {
    foreign.push_back(std::string(why == Foreign::host ? "host" : "origin") + (is_upgrade ? " upgrade" : ""));
  }

 private:
  const std::string name_;
  const std::string methods_;
  EchoEndpoint* const endpoint_;
  const ws::UpgradePolicy policy_;
};

class RouterTest : public session::LoopServerTest {
 protected:
  ~RouterTest() override { server_.reset(); }

  std::shared_ptr<NamedMount> mount(std::string_view path, std::string methods, bool has_websocket = false) {
    auto made = std::make_shared<NamedMount>(std::string(path), std::move(methods),
                                             has_websocket ? &endpoint_ : nullptr);
    router_->mount(*PathPattern::parse(path), made);
    return made;
  }
  std::string ask(std::string_view line, std::string_view headers = "Host: localhost\r\n",
                  std::string_view body = "") {
    start();
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), *router_);
    const net::Descriptor peer(ends[1]);
    const bool is_upgrade = headers.find("Upgrade") != std::string_view::npos;
    write(peer, std::string(line) + " HTTP/1.1\r\n" + std::string(headers) +
                    (is_upgrade ? "\r\n" : "Connection: close\r\n\r\n") + std::string(body));
    const std::string answer = read_until(peer, is_upgrade ? "\r\n\r\n" : "EOF");
    server_.reset();
    return answer;
  }
  std::string upgrade(std::string_view path, std::string_view more = "Host: localhost\r\n") {
    return ask("GET " + std::string(path),
               std::string(more) +
                   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n");
  }
  void with_rules() {
    router_ = std::make_unique<Router>(
        loop_context_, RouterOptions{.browsers = BrowserRules(BrowserOptions{}, true), .on_loopback = true});
  }

  std::shared_ptr<LoopContext> loop_context_ = std::make_shared<LoopContext>(*loop_, 0);
  std::unique_ptr<Router> router_ = std::make_unique<Router>(loop_context_);
};

INSTANTIATE_TEST_SUITE_P(Kinds, RouterTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

// Counts its loop's requests in a state that all mounts of the loop share.
class CountingMount final : public Mount {
 public:
  Offer offer(const PathPattern::Match&) const override { return {.methods = "GET"}; }
  void on_request(session::HttpConnection& session, const Target& target) override {
    struct Requests {
      int count = 0;
    };
    session.respond({.body = std::to_string(++target.loop.state<Requests>().count), .headers = {}});
  }
};

TEST_P(RouterTest, TheMountsOfOneLoopShareItsStates) {
  router_->mount(*PathPattern::parse("/one"), std::make_shared<CountingMount>());
  router_->mount(*PathPattern::parse("/two"), std::make_shared<CountingMount>());
  EXPECT_THAT(ask("GET /one"), HasSubstr("\r\n\r\n1"));
  EXPECT_THAT(ask("GET /two"), HasSubstr("\r\n\r\n2"));
  with_rules();  // another router on the same loop
  router_->mount(*PathPattern::parse("/three"), std::make_shared<CountingMount>());
  EXPECT_THAT(ask("GET /three"), HasSubstr("\r\n\r\n3"));
}

TEST_P(RouterTest, TheFirstMountOfPathAndMethod) {
  mount("/a/{x}", "GET");
  mount("/a/b", "GET, POST");
  mount("/{any...}", "DELETE");
  EXPECT_THAT(ask("GET /a/b"), HasSubstr("\r\n\r\n/a/{x} x=b"));
  EXPECT_THAT(ask("POST /a/b"), HasSubstr("\r\n\r\n/a/b"));
  EXPECT_THAT(ask("DELETE /a/b"), HasSubstr("\r\n\r\n/{any...} any=a/b"));
  EXPECT_THAT(ask("GET /a/%62?q=/z"), HasSubstr("x=b"));
  EXPECT_THAT(ask("HEAD /a/b"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("PUT /a/b"), StartsWith("HTTP/1.1 405 "));
}

TEST_P(RouterTest, AnswersByItself) {
  mount("/form", "POST");
  mount("/page", "GET");
  mount("/both", "POST", true);
  mount("/ws", "", true);
  EXPECT_THAT(ask("GET /none"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("there is nothing here\n")));
  EXPECT_THAT(ask("GET /%zz"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(upgrade("/%zz"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask("CONNECT a:80"), StartsWith("HTTP/1.1 501 "));
  EXPECT_THAT(ask("GET /form"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST\r\n")));
  EXPECT_THAT(ask("PUT /page"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD\r\n")));
  EXPECT_THAT(ask("PUT /both"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, POST\r\n")));
  EXPECT_THAT(ask("GET /both"), AllOf(StartsWith("HTTP/1.1 426 "), HasSubstr("Upgrade: websocket\r\n")));
  EXPECT_THAT(ask("HEAD /both"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(ask("GET /ws"), AllOf(StartsWith("HTTP/1.1 426 "), HasSubstr("Upgrade: websocket\r\n")));
  EXPECT_THAT(ask("POST /ws"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET\r\n")));
  EXPECT_THAT(upgrade("/ws"), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(upgrade("/both"), StartsWith("HTTP/1.1 101 "));
  EXPECT_THAT(upgrade("/page"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(upgrade("/form"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(upgrade("/none"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask("OPTIONS *"), AllOf(StartsWith("HTTP/1.1 204 "), HasSubstr("Allow: POST, GET, HEAD\r\n")));
  EXPECT_THAT(ask("OPTIONS /page"), StartsWith("HTTP/1.1 405 "));
}

TEST_P(RouterTest, AMountMayHaveNothingAtAPlace) {
  const auto gone = mount("/{id}", "GET");
  gone->missing = "unknown id";
  EXPECT_THAT(ask("GET /x"), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("\r\n\r\nunknown id\n")));
  mount("/{id}", "GET, POST");  // another mount may
  EXPECT_THAT(ask("GET /x"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(upgrade("/x"), StartsWith("HTTP/1.1 404 "));
}

TEST_P(RouterTest, WithoutRulesNothingIsSaidToBrowsers) {
  mount("/", "GET");
  const std::string said = ask("GET /", "Host: anything.example\r\nOrigin: https://evil.example\r\n");
  EXPECT_THAT(said, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(said, Not(HasSubstr("Access-Control")));
  EXPECT_THAT(said, EndsWith("/EOF"));  // neither a known page nor a local listener
}

TEST_P(RouterTest, RulesHoldForEveryAnswer) {
  with_rules();
  const auto form = mount("/form", "POST", true);
  const std::string page = "Host: localhost\r\nOrigin: http://localhost:3000\r\n";
  for (const std::string line : {"POST /form", "GET /form", "PUT /form", "POST /none", "POST /%zz"}) {
    EXPECT_THAT(ask(line, page), HasSubstr("Access-Control-Allow-Origin: http://localhost:3000\r\n")) << line;
  }
  EXPECT_THAT(ask("POST /form", page), EndsWith("/form page localEOF"));
  EXPECT_THAT(ask("PUT /form"), HasSubstr("Allow: GET, POST, OPTIONS\r\n"));
  EXPECT_THAT(ask("BAD", page), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(form->foreign.size(), 0U);

  EXPECT_THAT(ask("POST /form", "Host: evil.example\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(ask("POST /form", "Host: localhost\r\nOrigin: https://evil.example\r\n"),
              AllOf(StartsWith("HTTP/1.1 403 "), Not(HasSubstr("Access-Control-Allow-Origin"))));
  EXPECT_THAT(upgrade("/form", "Host: localhost\r\nOrigin: https://evil.example\r\n"),
              StartsWith("HTTP/1.1 403 "));
  for (const std::string line : {"POST /none", "OPTIONS /form", "PUT /form"}) {  // not counted
    EXPECT_THAT(ask(line, "Host: evil.example\r\n"), StartsWith("HTTP/1.1 403 ")) << line;
  }
  EXPECT_EQ(form->foreign, (std::vector<std::string>{"host", "origin", "origin upgrade"}));
}

TEST_P(RouterTest, APreflightIsAnsweredHere) {
  with_rules();
  mount("/form", "POST", true);
  mount("/own", "OPTIONS, GET");
  mount("/ws", "", true);
  const std::string page =
      "Host: localhost\r\nOrigin: http://localhost:3000\r\nAccess-Control-Request-Headers: x-trace\r\n";
  const std::string said = ask("OPTIONS /form", page);
  EXPECT_THAT(said, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(said, HasSubstr("Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"));
  EXPECT_THAT(said, HasSubstr(", x-trace\r\n"));
  const std::string_view origin = "Access-Control-Allow-Origin: http://localhost:3000\r\n";
  EXPECT_EQ(said.find(origin), said.rfind(origin));  // once
  EXPECT_THAT(said, HasSubstr(origin));
  EXPECT_THAT(ask("OPTIONS /own", page), HasSubstr("\r\n\r\n/own page"));
  EXPECT_THAT(ask("OPTIONS /ws", page), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(ask("OPTIONS /none", page), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask("OPTIONS *", page),
              AllOf(StartsWith("HTTP/1.1 204 "), HasSubstr("Access-Control-Allow-Methods")));
  EXPECT_THAT(ask("OPTIONS /form", "Host: localhost\r\nOrigin: https://evil.example\r\n"),
              StartsWith("HTTP/1.1 403 "));
}

TEST_P(RouterTest, AMountMayHaveRulesOfItsOwn) {
  with_rules();
  const BrowserRules open({.hosts = {"*"}, .origins = {"https://app.example"}}, true);
  mount("/open", "GET")->browsers = &open;
  mount("/closed", "GET");
  const std::string page = "Host: node.example\r\nOrigin: https://app.example\r\n";
  EXPECT_THAT(ask("GET /open", page), HasSubstr("Access-Control-Allow-Origin: https://app.example\r\n"));
  EXPECT_THAT(ask("PUT /open", page),
              AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Access-Control-Allow-Origin")));
  EXPECT_THAT(ask("GET /closed", page), StartsWith("HTTP/1.1 403 "));
}

// Its reader needs the name of what it can set: in a program or in a configuration.
TEST_P(RouterTest, ARefusedHostOrPageIsToldTheSetting) {
  with_rules();
  const BrowserRules named({.hosts = {"known"},
                            .origins = {"https://app.example"},
                            .names = {.hosts = "the_hosts", .origins = "the_pages"}},
                           true);
  mount("/named", "GET")->browsers = &named;
  mount("/plain", "GET");
  EXPECT_THAT(ask("GET /named", "Host: unknown\r\n"),
              HasSubstr("this name is not served here (setting: the_hosts)\n"));
  EXPECT_THAT(ask("GET /named", "Host: known\r\nOrigin: https://evil.example\r\n"),
              HasSubstr("requests from pages of this origin are not allowed (setting: the_pages)\n"));
  EXPECT_THAT(ask("GET /plain", "Host: unknown\r\n"), HasSubstr("(setting: allowed_hosts)\n"));
  EXPECT_THAT(ask("GET /plain", "Host: localhost\r\nOrigin: https://evil.example\r\n"),
              HasSubstr("(setting: allowed_origins)\n"));
}

TEST_P(RouterTest, AnAdmissionIsAskedBeforeAGuardedMountAndOnlyThere) {
  NamedAdmission admission;
  const auto with_admission = [&] {
    router_ = std::make_unique<Router>(
        loop_context_,
        RouterOptions{
            .browsers = BrowserRules(BrowserOptions{}, true), .on_loopback = false, .admission = &admission});
    mount("/guarded", "POST", true);
    mount("/open", "GET")->is_open = true;
  };
  constexpr std::string_view kNamed = "Host: localhost\r\nX-Name: alice\r\n";
  with_admission();
  EXPECT_THAT(ask("POST /guarded"), AllOf(StartsWith("HTTP/1.1 401"), EndsWith("who?EOF")));
  with_admission();
  EXPECT_THAT(ask("POST /guarded", kNamed), EndsWith("/guarded aliceEOF"));
  with_admission();
  EXPECT_THAT(upgrade("/guarded"), StartsWith("HTTP/1.1 401"));
  with_admission();
  EXPECT_THAT(upgrade("/guarded", kNamed), StartsWith("HTTP/1.1 101"));
  EXPECT_EQ(admission.asked, 4);
  // An open mount, what the router answers itself, a host that is not served, a preflight: nobody is asked.
  with_admission();
  EXPECT_THAT(ask("GET /open"), EndsWith("/openEOF"));
  with_admission();
  EXPECT_THAT(ask("GET /nothing"), StartsWith("HTTP/1.1 404"));
  with_admission();
  EXPECT_THAT(ask("PUT /guarded"), StartsWith("HTTP/1.1 405"));
  with_admission();
  EXPECT_THAT(ask("POST /guarded", "Host: evil.example\r\nX-Name: alice\r\n"), StartsWith("HTTP/1.1 403"));
  with_admission();
  EXPECT_THAT(ask("OPTIONS /guarded", "Host: localhost\r\nOrigin: http://localhost\r\n"),
              StartsWith("HTTP/1.1 204"));
  EXPECT_EQ(admission.asked, 4);
}

// Of strangers, bodies up to the limit are read to their end; longer ones cost no memory.
TEST_P(RouterTest, ALongBodyIsReadOnlyForTheAdmitted) {
  NamedAdmission admission;
  const auto ask_long = [&](std::string_view headers, std::string_view body) {
    router_ = std::make_unique<Router>(loop_context_, RouterOptions{.admission = &admission});
    mount("/guarded", "POST");
    return ask("POST /guarded", "Host: localhost\r\n" + std::string(headers) + "\r\n", body);
  };
  const std::string limit = std::to_string(kBodyBeforeAdmissionMax);
  const std::string beyond = std::to_string(kBodyBeforeAdmissionMax + 1);
  const std::string body(kBodyBeforeAdmissionMax, 'x');
  // Nothing of the body was sent.
  EXPECT_THAT(ask_long("Content-Length: " + beyond, ""), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(ask_long("Transfer-Encoding: chunked", ""), StartsWith("HTTP/1.1 401"));
  EXPECT_EQ(admission.asked, 2);
  EXPECT_THAT(ask_long("Content-Length: " + limit, body), StartsWith("HTTP/1.1 401"));
  EXPECT_EQ(admission.asked, 3);
  EXPECT_THAT(ask_long("X-Name: alice\r\nContent-Length: " + beyond, body + "x"),
              EndsWith("/guarded aliceEOF"));
}

}  // namespace
}  // namespace fanfare::server
