// Why a broker cannot be used: what a real one does, and the sentence that the operator reads.

#include "relay/link.h"

#include <gtest/gtest.h>

#include "net/certificate_for_tests.h"
#include "relay/relay_world_for_tests.h"

namespace fanfare::relay {
namespace {

struct WatchedLink {
  explicit WatchedLink(NatsOptions its_options) : options(std::move(its_options)) {
    LinkEvents events;
    events.on_message = [](const Incoming&) {};
    events.on_connection = [this](bool is_up) { is_connected = is_up; };
    events.on_problem = [this](const LinkProblem& problem) {
      const std::scoped_lock lock(mutex);
      sentences.push_back(sentence_for(problem, options));
    };
    events.on_closed = [this] { is_closed = true; };
    EXPECT_TRUE(link.open(options, std::move(events)));
    is_accepted = link.connect();
  }
  ~WatchedLink() { link.close(); }
  WatchedLink(const WatchedLink&) = delete;
  WatchedLink& operator=(const WatchedLink&) = delete;

  // The last sentence.
  std::string said() {
    const std::scoped_lock lock(mutex);
    return sentences.empty() ? "" : sentences.back();
  }

  const NatsOptions options;
  std::mutex mutex;  // guards sentences
  std::vector<std::string> sentences;
  std::atomic<bool> is_connected = false;
  bool is_accepted = false;
  std::atomic<bool> is_closed = false;
  Link link;
};

std::string tls_of(const net::TestCertificate& files) {
  return "tls { cert_file: \"" + files.certificate_file() + "\", key_file: \"" + files.key_file() + "\" }";
}

TEST(LinkProblems, CredentialsThatAreRefused) {
  const NatsServer server("authorization { user: fan, password: fare }");
  NatsOptions options = options_for({server.url()});
  EXPECT_EQ(WatchedLink(options).said(),
            "the broker wants credentials (Authorization Violation): set user and password, token or "
            "credentialsFile");
  options.user = "fan";
  options.password = "secret";
  EXPECT_EQ(WatchedLink(options).said(),
            "the broker refused the user fan (Authorization Violation): check user and password");
  options.user = options.password = "";
  options.token = "secret";
  EXPECT_EQ(WatchedLink(options).said(),
            "the broker refused the token (Authorization Violation): check token");
  options.token = "";
  options.servers = {"nats://fan:secret@127.0.0.1:" + std::to_string(server.port())};
  EXPECT_EQ(WatchedLink(options).said(),
            "the broker refused the credentials in the URL (Authorization Violation): check servers");
}

// Then the library gives up.
TEST(LinkProblems, CredentialsThatAreRefusedLater) {
  NatsServer server("authorization { user: fan, password: fare }");
  NatsOptions options = options_for({server.url()});
  options.user = "fan";
  options.password = "fare";
  WatchedLink link(options);
  EXPECT_TRUE(link.is_accepted);
  server.kill();
  server.set_more("authorization { user: fan, password: other }");
  server.start();
  ASSERT_TRUE(eventually([&] { return link.is_closed.load(); }));
  EXPECT_FALSE(link.link.connect());
  EXPECT_EQ(link.said(),
            "the broker refused the user fan (Authorization Violation): check user and password");
  server.kill();
  server.set_more("authorization { user: fan, password: fare }");
  server.start();
  EXPECT_TRUE(link.link.connect());
}

TEST(LinkProblems, CertificatesThatAreNotAccepted) {
  const net::TestCertificate ca({.name = "ca", .is_ca = true});
  const net::TestCertificate good({.name = "broker", .issuer = &ca});
  const net::TestCertificate old({.name = "broker", .valid_until_s = -60, .issuer = &ca});
  NatsServer server(tls_of(good));
  NatsOptions options = options_for({server.url()});
  options.tls = true;
  std::string said = WatchedLink(options).said();
  EXPECT_TRUE(said.starts_with("the broker's certificate is from an unknown CA (")) << said;
  EXPECT_TRUE(said.ends_with("): name the file of its CA in caFile")) << said;
  options.ca_file = ca.certificate_file();
  options.expected_host = "other";
  said = WatchedLink(options).said();
  EXPECT_TRUE(said.starts_with("the broker's certificate is for another host (")) << said;
  options.expected_host = "broker";
  WatchedLink accepted(options);
  EXPECT_TRUE(accepted.is_accepted);
  server.kill();
  server.set_more(tls_of(old));
  server.start();
  said = WatchedLink(options).said();
  EXPECT_TRUE(said.starts_with("the broker's certificate has expired (")) << said;
  // The one that was connected before learns of it, too.
  EXPECT_TRUE(eventually([&] { return accepted.said().contains("has expired"); })) << accepted.said();
}

// Otherwise anybody with a certificate of that CA could be the broker.
TEST(LinkProblems, WithoutAnExpectedHostTheCertificateIsForTheHostOfTheUrl) {
  const net::TestCertificate ca({.name = "ca", .is_ca = true});
  const net::TestCertificate good({.name = "broker", .issuer = &ca});  // and 127.0.0.1
  const NatsServer server(tls_of(good));
  NatsOptions options = options_for({"tls://localhost:" + std::to_string(server.port())});
  options.ca_file = ca.certificate_file();
  WatchedLink other(options);
  EXPECT_TRUE(other.said().contains("is for another host")) << other.said();
  EXPECT_FALSE(other.is_accepted);
  options.servers = {"tls://127.0.0.1:" + std::to_string(server.port())};
  EXPECT_TRUE(WatchedLink(options).is_accepted);
}

TEST(LinkProblems, ABrokerThatWantsACertificateOfTheClient) {
  const net::TestCertificate ca({.name = "ca", .is_ca = true});
  const net::TestCertificate good({.name = "broker", .issuer = &ca});
  const net::TestCertificate mine({.name = "client", .issuer = &ca});
  std::string tls = tls_of(good);
  tls.replace(tls.rfind('}'), 1, ", ca_file: \"" + ca.certificate_file() + "\", verify: true }");
  const NatsServer server(tls);
  NatsOptions options = options_for({server.url()});
  options.ca_file = ca.certificate_file();
  options.expected_host = "broker";
  WatchedLink without(options);
  EXPECT_FALSE(without.is_accepted);
  // Its answer may be on its way, or lost with the connection.
  EXPECT_TRUE(without.said().contains("certificateFile and keyFile")) << without.said();
  options.certificate_file = mine.certificate_file();
  options.key_file = mine.key_file();
  EXPECT_TRUE(WatchedLink(options).is_accepted);
}

TEST(LinkProblems, TlsThatTheBrokerDoesNotHave) {
  const NatsServer plain;
  NatsOptions options = options_for({plain.url()});
  options.tls = true;
  const std::string said = WatchedLink(options).said();
  EXPECT_TRUE(said.starts_with("the broker has no TLS (")) << said;
}

TEST(LinkProblems, NobodyAtTheAddress) {
  NatsServer server;
  server.kill();
  const std::string port = std::to_string(server.port());
  EXPECT_EQ(
      WatchedLink(options_for({"nats://user:secret@127.0.0.1:" + port, "nats://127.0.0.1:" + port})).said(),
      "no broker can be reached at nats://127.0.0.1:" + port + ", nats://127.0.0.1:" + port +
          " (no answer): check that it runs, and servers");
}

TEST(LinkProblems, WhatTheUserMayNotDo) {
  const NatsServer server(
      "authorization { users: [{ user: fan, password: fare, permissions: { publish: \"x\" } }] }");
  NatsOptions options = options_for({server.url()});
  options.user = "fan";
  options.password = "fare";
  WatchedLink link(options);
  EXPECT_TRUE(link.link.publish("$JS.API.INFO", "", {}, {}));
  EXPECT_TRUE(eventually([&] {
    return link.said().contains("does not permit what the relay needs (Permissions Violation for Publish");
  })) << link.said();
}

}  // namespace
}  // namespace fanfare::relay
