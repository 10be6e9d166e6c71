// Roles, keys, tokens and certificates of a program, over real sockets and on both loops.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>

#include "access/jwt_vectors_for_tests.h"
#include "access/token_for_tests.h"
#include "api/rpc_world_for_tests.h"
#include "fanfare/access.h"
#include "net/certificate_for_tests.h"

namespace fanfare::api {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kReaderKey = "reader-key-0123456789";
constexpr std::string_view kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kNoCredentials = "credentials are required";

std::string bearer(std::string_view token) {
  return "Authorization: Bearer " + std::string(token) + "\r\n";
}
std::string offered(std::string_view token) {
  return "Sec-WebSocket-Protocol: fanfare, fanfare.bearer." + std::string(token) + "\r\n";
}
// Valid from `from` seconds on, relative to now.
std::string token(int from, std::string_view subject = "alice", std::string_view roles = R"(["reader"])") {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto end = std::chrono::duration_cast<std::chrono::seconds>(now).count() + from;
  return access::hs256_token(kSecret, R"({"sub":")" + std::string(subject) + R"(","roles":)" +
                                          std::string(roles) + ",\"exp\":" + std::to_string(end) + "}");
}

AccessOptions options() {
  return {.roles = {{.name = "reader", .methods = {"get*"}, .events = {"news"}},
                    {.name = "operator", .methods = {"*"}, .events = {"*"}, .permissions = {"*"}}},
          .keys = {{.name = "shop", .roles = {"reader"}, .key = std::string(kReaderKey)},
                   {.name = "boss", .roles = {"reader", "operator"}, .key = "operator-key-0123456789"}},
          .users = {{.name = "carol", .roles = {"reader"}, .password = "secret"}},
          .jwt = AccessJwt{.secret = std::string(kSecret), .leeway = 0s}};
}

class AccessRolesTest : public testing::TestWithParam<LoopKind> {
 protected:
  void start(const AccessOptions& access_options = options(), RpcOptions rpc_options = {},
             ServerOptions server_options = {}) {
    const auto access = Access::make(access_options);
    ASSERT_TRUE(access) << access.error().message;
    rpc_options.authenticate = *access;
    rpc_options.authenticate_message = *access;
    rpc_options.allowed_hosts = {"*"};
    rpc = std::make_unique<Rpc>(std::move(rpc_options));
    rpc->method("getname", {}, [](const RpcCall& call) { return call.identity()->name; });
    rpc->method("getsecret", {.permission = "secrets"}, [](const RpcCall&) { return 42; });
    rpc->method("send", {}, [](const RpcCall&) { return true; });
    rpc->event<int>("news", {.broadcast = true});
    rpc->event<int>("other", {});
    server_options.port = 0;
    server_options.threads = 1;
    server_options.loop = GetParam();
    server = std::make_unique<Server>(std::move(server_options));
    rpc->serve(*server, "/");
    rpc->serve(*server, "/rpc/{key}");
    const auto started = server->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  void TearDown() override {
    if (server) server->stop(1s);
  }
  std::string post(std::string_view headers, std::string_view target = "/",
                   const std::string& text = call("getname")) const {
    RawClient client(server->port());
    client.write("POST " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(headers) +
                 "Content-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
    return client.read_answer(false);
  }
  std::unique_ptr<RawClient> open(std::string_view headers, std::string_view target = "/") const {
    auto client = std::make_unique<RawClient>(server->port());
    EXPECT_THAT(client->upgrade(target, headers), StartsWith("HTTP/1.1 101"));
    return client;
  }
  static std::string ask(RawClient& client, const std::string& text) {
    client.send(text);
    return client.receive();
  }
  static std::string authenticate(RawClient& client, std::string_view token) {
    return ask(client, call("fanfare_authenticate", "[\"" + std::string(token) + "\"]"));
  }
  static std::string status(const std::string& answer) { return answer.substr(9, 3); }

  std::unique_ptr<Rpc> rpc;
  std::unique_ptr<Server> server;
};

INSTANTIATE_TEST_SUITE_P(Loops, AccessRolesTest, testing::Values(LoopKind::automatic, LoopKind::epoll),
                         [](const auto& loop) {
                           return loop.param == LoopKind::epoll ? "epoll" : "automatic";
                         });

TEST_P(AccessRolesTest, AKeyIsTakenFromHeadersQueryPathAndSubprotocol) {
  start();
  const std::string key(kReaderKey);
  const std::string name = result("\"shop\"");
  for (const std::string& headers : {bearer(key), "X-Api-Key: " + key + "\r\n"}) {
    EXPECT_THAT(post(headers), HasSubstr(name));
    EXPECT_EQ(ask(*open(headers), call("getname")), name);
  }
  for (const std::string& target : {"/?apikey=" + key, "/rpc/" + key}) {
    EXPECT_THAT(post("", target), HasSubstr(name));
    EXPECT_EQ(ask(*open("", target), call("getname")), name);
  }
  RawClient browser(server->port());
  const std::string head = browser.upgrade("/", offered(key));
  EXPECT_THAT(head, AllOf(StartsWith("HTTP/1.1 101"), HasSubstr("Sec-WebSocket-Protocol: fanfare\r\n"),
                          Not(HasSubstr(key))));
  EXPECT_EQ(ask(browser, call("getname")), name);
  EXPECT_THAT(post("Authorization: Basic Y2Fyb2w6c2VjcmV0\r\n"), HasSubstr(result("\"carol\"")));
}

TEST_P(AccessRolesTest, WithoutValidCredentialsNothingIsServed) {
  start();
  const std::string key(kReaderKey);
  for (const std::string& headers :
       {std::string(), bearer("reader-key-0123456788"), bearer(key) + "X-Api-Key: another-key-0123456789\r\n",
        bearer(token(-10)), bearer(access::hs256_token("another secret", R"({"sub":"a","exp":9999999999})")),
        bearer(access::hs256_token(kSecret, R"({"sub":"a","exp":9999999999})", R"({"alg":"none"})"))}) {
    const std::string answer = post(headers);
    EXPECT_EQ(status(answer), "401") << headers;
    EXPECT_THAT(answer,
                AllOf(HasSubstr("WWW-Authenticate: Bearer\r\n"), HasSubstr("WWW-Authenticate: Basic")));
    RawClient client(server->port());
    EXPECT_EQ(RpcWorld::body_of(client.upgrade("/", headers)), RpcWorld::body_of(answer));
  }
}

TEST_P(AccessRolesTest, ARoleGrantsMethodsEventsAndPermissionsByPattern) {
  start();
  const std::string reader = bearer(kReaderKey);
  const std::string boss = bearer("operator-key-0123456789");
  const auto client = open(reader);
  const auto denied = [](const std::string& what) { return error(-32001, what); };
  EXPECT_EQ(ask(*client, call("getsecret")), denied("the method getsecret needs the permission secrets"));
  EXPECT_EQ(ask(*client, call("send")), denied("the method send is not allowed"));
  EXPECT_EQ(ask(*client, call("subscribe", R"(["other"])")), denied("the event other is not allowed"));
  EXPECT_THAT(ask(*client, call("subscribe", R"(["news"])")), HasSubstr("\"recovered\":true"));
  EXPECT_THAT(post(reader, "/", call("getsecret")), HasSubstr("needs the permission"));
  EXPECT_THAT(post(boss, "/", call("getsecret")), HasSubstr(result("42")));
  EXPECT_THAT(ask(*open(boss), call("subscribe", R"(["other"])")), HasSubstr("\"recovered\":true"));
  // A token whose roles do not exist here grants nothing.
  EXPECT_THAT(post(bearer(token(3600, "x", R"(["king"])"))), HasSubstr("the method getname is not allowed"));
}

TEST_P(AccessRolesTest, LimitsAndMetricsFollowTheRole) {
  AccessOptions with_limits = options();
  with_limits.roles[0].limits = {.requests = {.per_second = 1, .burst = 2}};
  start(with_limits);
  const std::string three = "[" + call("getname") + "," + call("getname") + "," + call("getname") + "]";
  EXPECT_THAT(post(bearer(kReaderKey), "/", three), HasSubstr("-32005"));
  EXPECT_THAT(post(bearer(token(3600)), "/", three), HasSubstr("-32005"));
  ASSERT_EQ(rpc->metrics().size(), 1U);
  EXPECT_EQ(rpc->metrics()[0].role, "reader");
  EXPECT_EQ(rpc->metrics()[0].calls, 6U);
  EXPECT_EQ(rpc->metrics()[0].refused_limit, 2U);
}

TEST_P(AccessRolesTest, KeysAreReadFromFilesAndHashesAndMayEnd) {
  const std::string path = testing::TempDir() + "key_" + std::to_string(getpid());
  std::ofstream(path) << "key-of-a-file-0123456789\n";
  AccessOptions more = options();
  more.keys = {
      {.name = "file", .roles = {"reader"}, .key_file = path},
      {.name = "hash",
       .roles = {"reader"},
       .key_hash = access::to_hex(access::sha256("key-of-a-hash-0123456789"))},
      {.name = "old",
       .roles = {"reader"},
       .key = "key-of-the-past-0123456789",
       .expires_at = std::chrono::system_clock::now() - 1s},
      {.name = "far", .roles = {"reader"}, .key = "key-from-afar-0123456789", .addresses = {"192.0.2.1"}}};
  start(more);
  ::unlink(path.c_str());
  EXPECT_THAT(post(bearer("key-of-a-file-0123456789")), HasSubstr(result("\"file\"")));
  EXPECT_THAT(post(bearer("key-of-a-hash-0123456789")), HasSubstr(result("\"hash\"")));
  EXPECT_EQ(status(post(bearer("key-of-the-past-0123456789"))), "401");
  EXPECT_EQ(status(post(bearer("key-from-afar-0123456789"))), "403");
}

TEST_P(AccessRolesTest, TokensAreSignedByEveryKindOfKey) {
  const std::string path = testing::TempDir() + "jwks_" + std::to_string(getpid());
  std::ofstream(path) << access::kJwks;
  // The vectors are valid around December 2024: long expired, which is said after the signature was found to be right.
  AccessOptions with_set = options();
  with_set.jwt = AccessJwt{.jwks_file = path, .issuer = "https://issuer.example", .audience = "gateway"};
  start(with_set);
  ::unlink(path.c_str());
  for (const std::string_view vector : {access::kRsaToken, access::kEcToken}) {
    EXPECT_THAT(post(bearer(vector)), HasSubstr("the token has expired"));
    std::string forged(vector);
    forged.back() = forged.back() == 'A' ? 'Q' : 'A';
    EXPECT_THAT(post(bearer(forged)), HasSubstr("the credentials are not valid"));
  }
}

// However slow this machine is: a token that ends before it is used is tried again with a later end.
TEST_P(AccessRolesTest, AnOpenConnectionEndsWithItsToken) {
  start();
  for (int seconds = 1; seconds < 60; seconds *= 2) {
    RawClient client(server->port());
    if (!client.upgrade("/", bearer(token(seconds))).starts_with("HTTP/1.1 101")) continue;
    EXPECT_EQ(client.receive(), "close 1008 the token has expired");
    return;
  }
  FAIL() << "no token was accepted";
}

TEST_P(AccessRolesTest, ARenewalIsForTheSameIdentity) {
  start();
  RawClient client(server->port());
  ASSERT_THAT(client.upgrade("/", bearer(token(3600))), StartsWith("HTTP/1.1 101"));
  EXPECT_THAT(authenticate(client, token(-1)), HasSubstr("the token has expired"));
  EXPECT_EQ(authenticate(client, token(3600, "bob")), error(-32001, "the credentials are not valid"));
  EXPECT_EQ(authenticate(client, token(3600, "alice", R"(["operator"])")),
            error(-32001, "the credentials are not valid"));
  EXPECT_EQ(authenticate(client, token(3600)), result("true"));
  // One that ends earlier counts, too.
  for (int seconds = 1; authenticate(client, token(seconds)) != result("true"); seconds *= 2) {
    ASSERT_LT(seconds, 60);
  }
  EXPECT_EQ(client.receive(), "close 1008 the token has expired");
}

TEST_P(AccessRolesTest, AFreshTokenProlongsAConnection) {
  start();
  for (int seconds = 2; seconds < 120; seconds *= 2) {
    RawClient client(server->port());
    const auto end = std::chrono::system_clock::now() + std::chrono::seconds(seconds);
    if (!client.upgrade("/", bearer(token(seconds))).starts_with("HTTP/1.1 101")) continue;
    if (authenticate(client, token(3600)) != result("true")) continue;  // too late
    while (std::chrono::system_clock::now() < end) std::this_thread::yield();
    EXPECT_EQ(ask(client, call("getname")), result("\"jwt:alice\""));
    return;
  }
  FAIL() << "no token was accepted";
}

TEST_P(AccessRolesTest, ABrowserAuthenticatesByItsFirstMessage) {
  AccessOptions patient = options();
  patient.first_message_within = 5min;
  start(patient, {.per_identity = {.connections_max = 1},
                  .binary = [](Session& session, Bytes) { session.send("binary"); }});
  const auto client = open("");
  EXPECT_EQ(ask(*client, call("getname")), error(-32001, kNoCredentials));
  EXPECT_EQ(ask(*client, call("nothing")), error(-32001, kNoCredentials));
  EXPECT_EQ(ask(*client, call("subscribe", R"(["news"])")), error(-32001, kNoCredentials));
  client->send("x", '\x82');
  EXPECT_THAT(client->receive(), HasSubstr(kNoCredentials));
  EXPECT_EQ(authenticate(*client, "reader-key-0123456788"), error(-32001, "the credentials are not valid"));
  EXPECT_EQ(authenticate(*client, kReaderKey), result("true"));
  EXPECT_EQ(ask(*client, call("getname")), result("\"shop\""));
  while (rpc->publish(*server, "news", 7) != PublishResult::accepted) {
  }
  EXPECT_THAT(client->receive(), HasSubstr(R"("method":"news","params":{"value":7,)"));  // the broadcast
  // Its identity pays for the connection from then on.
  const auto second = open("");
  EXPECT_THAT(authenticate(*second, kReaderKey), HasSubstr("too many connections"));
  EXPECT_EQ(ask(*second, call("getname")), error(-32001, kNoCredentials));
  // Wrong credentials in the request are refused there, and HTTP has no first message.
  RawClient third(server->port());
  EXPECT_EQ(status(third.upgrade("/", bearer("reader-key-0123456788"))), "401");
  EXPECT_EQ(status(post("")), "401");
}

TEST_P(AccessRolesTest, AConnectionWithoutAFirstMessageEnds) {
  AccessOptions impatient = options();
  impatient.first_message_within = 50ms;
  start(impatient);
  EXPECT_EQ(open("")->receive(), "close 1008 credentials are required");
}

TEST_P(AccessRolesTest, GuessingByMessagesIsSlowedDown) {
  AccessOptions patient = options();
  patient.first_message_within = 5min;
  start(patient);
  const auto client = open("");
  int refused = 0;
  std::string answer;
  while ((answer = authenticate(*client, "reader-key-0123456788")).contains("not valid")) ++refused;
  EXPECT_GE(refused, 10);
  EXPECT_THAT(answer, AllOf(HasSubstr("\"code\":-32005"), HasSubstr("\"retry_after_ms\":")));
}

// The answer to a POST of a client that shows the certificate; "" if the handshake fails.
std::string post_with_certificate(std::uint16_t port, const net::TestCertificate* certificate) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  if (certificate != nullptr) {
    EXPECT_EQ(SSL_CTX_use_certificate_file(context.get(), certificate->certificate_file().c_str(),
                                           SSL_FILETYPE_PEM),
              1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(context.get(), certificate->key_file().c_str(), SSL_FILETYPE_PEM),
              1);
  }
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new_ssl_connect(context.get()), &BIO_free_all);
  BIO_set_conn_hostname(bio.get(), ("127.0.0.1:" + std::to_string(port)).c_str());
  const std::string text = call("getname");
  const std::string request =
      "POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: " + std::to_string(text.size()) +
      "\r\n\r\n" + text;
  if (BIO_write(bio.get(), request.data(), static_cast<int>(request.size())) <= 0) return {};
  std::string answer(4096, '\0');
  std::size_t size = 0;
  for (int read = 1; read > 0 && size < answer.size(); size += static_cast<std::size_t>(std::max(read, 0))) {
    read = BIO_read(bio.get(), answer.data() + size, static_cast<int>(answer.size() - size));
  }
  answer.resize(size);
  return answer;
}

TEST_P(AccessRolesTest, AClientCertificateIsACredential) {
  const net::TestCertificate own;
  const net::TestCertificate billing("billing");
  const net::TestCertificate unknown("unknown");
  const std::string authorities = own.folder() + "/authorities.pem";
  std::ofstream(authorities) << std::ifstream(billing.certificate_file()).rdbuf()
                             << std::ifstream(unknown.certificate_file()).rdbuf();
  AccessOptions by_certificate = options();
  by_certificate.certificates = {{.name = "billing", .roles = {"reader"}, .subject = "CN=billing"}};
  start(by_certificate, {},
        {.tls = Tls{.certificate_file = own.certificate_file(),
                    .key_file = own.key_file(),
                    .client_ca_file = authorities}});
  EXPECT_THAT(post_with_certificate(server->port(), &billing), HasSubstr(result("\"billing\"")));
  EXPECT_THAT(post_with_certificate(server->port(), &unknown), HasSubstr("401"));
  EXPECT_THAT(post_with_certificate(server->port(), nullptr), HasSubstr("401"));
  EXPECT_EQ(post_with_certificate(server->port(), &own), "");  // of another authority
}

TEST(Access, ErrorsNameTheMemberAndNoSecret) {
  const auto problem = [](auto change) {
    AccessOptions changed = options();
    change(changed);
    const auto made = Access::make(changed);
    return made ? std::string() : made.error().message;
  };
  EXPECT_EQ(problem([](AccessOptions&) {}), "");
  EXPECT_THAT(problem([](AccessOptions& all) { all.keys[1].key = "short-secret"; }),
              AllOf(StartsWith("keys[1].key: at least 16 bytes"), Not(HasSubstr("short-secret"))));
  EXPECT_THAT(problem([](AccessOptions& all) { all.keys[1].key_hash = "0"; }),
              StartsWith("keys[1].key: exactly one"));
  EXPECT_THAT(
      problem([](AccessOptions& all) { all.keys[0] = {.name = "a", .roles = {}, .key_file = "/nowhere"}; }),
      StartsWith("keys[0].key_file: cannot be used: "));
  EXPECT_THAT(problem([](AccessOptions& all) { all.keys[0].roles = {"king"}; }),
              HasSubstr("role that does not exist"));
  EXPECT_THAT(problem([](AccessOptions& all) { all.roles[0].methods = {"get*name"}; }),
              StartsWith("roles[0]: not a name"));
  EXPECT_THAT(problem([](AccessOptions& all) { all.roles[0].name = "anonymous"; }),
              StartsWith("roles[0].name: "));
  EXPECT_EQ(problem([](AccessOptions& all) { all.roles[0].limits.bytes = {.per_second = 1, .burst = 61}; }),
            "roles[0].limits.bytes.burst: at most what a minute brings");
  EXPECT_THAT(problem([](AccessOptions& all) { all.jwt->secret = "hidden"; }),
              AllOf(StartsWith("jwt.secret: cannot be used: "), Not(HasSubstr("hidden"))));
  EXPECT_THAT(problem([](AccessOptions& all) { all.jwt->leeway = 301s; }),
              StartsWith("jwt.leeway: 0 to 300"));
  EXPECT_THAT(problem([](AccessOptions& all) { all.certificates = {{.name = "c", .roles = {}}}; }),
              StartsWith("certificates[0]: exactly one"));
  EXPECT_THAT(problem([](AccessOptions& all) { all.first_message_within = 301s; }),
              StartsWith("first_message_within: "));
  EXPECT_THAT(problem([](AccessOptions& all) { all = {.roles = all.roles}; }),
              StartsWith("nobody can authenticate"));
}

}  // namespace
}  // namespace fanfare::api
