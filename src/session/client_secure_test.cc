// The client through a proxy, through TLS, and through both.

#include <gtest/gtest.h>

#include "net/certificate_for_tests.h"
#include "net/stream.h"
#include "net/tls.h"
#include "session/client_for_tests.h"

namespace fanfare::session {
namespace {

class ClientSecureTest : public ClientTest {
 protected:
  ClientSecureTest() { options_.reconnect.enabled = false; }
  ~ClientSecureTest() override {
    client_.reset();
    table_.close_all();
  }

  // Our server takes this connection over and uses TLS on it.
  void serve_tls(net::Descriptor connected) {
    ASSERT_TRUE(gate_.enter());
    auto handler = std::make_unique<HttpConnection>(table_, entrance_, Admission(gate_));
    loop_->adopt(std::move(handler), std::move(connected)).start_tls(context_, net::TlsRole::server);
  }
  void listen_tls() {
    auto listening = net::listen_on(*net::Address::parse("127.0.0.1", 0)).value();
    port_ = net::local_address(listening.get())->port();
    loop_->listen(std::move(listening),
                  [this](net::Descriptor connected) { serve_tls(std::move(connected)); });
    options_.url = "wss://localhost:" + std::to_string(port_) + "/";
    options_.tls.ca_file = certificate_.certificate_file();
  }
  void use(const RawServer& proxy, const std::string& user = "") {
    options_.proxy = "http://" + user + "127.0.0.1:" + std::to_string(proxy.port());
  }

  net::TestCertificate certificate_;
  std::shared_ptr<const net::TlsContext> context_ =
      net::TlsContext::server(
          {.certificate_file = certificate_.certificate_file(), .key_file = certificate_.key_file()})
          .value();
  AcceptGate gate_;
  ServerTable table_{*loop_, 100ms, gate_};
  HttpSettings http_;
  ListenerContext entrance_{.service = service_, .http = http_, .options = {}};
  std::uint16_t port_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Kinds, ClientSecureTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         loop_kind_name);

TEST_P(ClientSecureTest, TalksThroughTls) {
  listen_tls();
  options_.deflate.enabled = true;
  connect();
  wait_for("open deflate");
  const std::string big(300'000, 'q');
  client_->send_text(big);
  wait_for("text " + big);
  client_->close();
  wait_for("close we_closed 1000  end");
  EXPECT_TRUE(run_until([&] { return clients_.sessions().size() == 0; }));
}

TEST_P(ClientSecureTest, CertificateThatNobodyVouchesForIsNotAccepted) {
  listen_tls();
  const net::TestCertificate other;
  options_.tls.ca_file = other.certificate_file();
  connect();
  wait_for("failed tls_failed end");
  EXPECT_NE(diary_.error.text.find("TLS with \"localhost\" at 127.0.0.1:" + std::to_string(port_) +
                                   ": certificate not accepted: "),
            std::string::npos)
      << diary_.error.text;
  EXPECT_TRUE(endpoint_.open.empty());
}

TEST_P(ClientSecureTest, CertificateOfAnotherNameIsNotAccepted) {
  listen_tls();
  options_.tls.server_name = "elsewhere.test";
  connect();
  wait_for("failed tls_failed end");
  EXPECT_NE(diary_.error.text.find("\"elsewhere.test\""), std::string::npos) << diary_.error.text;
}

TEST_P(ClientSecureTest, VerificationMayBeTurnedOff) {
  listen_tls();
  options_.tls = {.verify = false, .ca_file = "", .server_name = "elsewhere.test"};
  connect();
  wait_for("open");
}

TEST_P(ClientSecureTest, ServerThatSpeaksNoTlsIsATlsFailure) {
  const RawServer raw;
  options_.url = "wss://localhost:" + std::to_string(raw.port()) + "/";
  connect();
  const auto peer = accept(raw);
  ASSERT_EQ(read_bytes(peer, 1)[0], '\x16');  // a TLS record: no byte of the request is sent unencrypted
  write(peer, "HTTP/1.1 400 Bad Request\r\n\r\n");
  wait_for("failed tls_failed end");
}

TEST_P(ClientSecureTest, TlsThatNeverEndsTimesOut) {
  const RawServer raw;
  options_.url = "wss://localhost:" + std::to_string(raw.port()) + "/";
  connect();
  const auto peer = accept(raw);
  read_bytes(peer, 1);
  pass(options_.handshake_timeout + 200ms);
  EXPECT_EQ(diary_.last(), "failed timed_out end");
}

// A proxy that acts as the server after its response.
TEST_P(ClientSecureTest, AsksTheProxyForTheHostAndGoesOn_RFC6455_4_1) {
  const RawServer proxy;
  use(proxy, "me:secret@");
  options_.url = "ws://Far.test/room";
  // The proxy resolves the name.
  lookup_ = [](const std::string&, std::uint16_t) -> Resolver::Result { std::abort(); };
  connect();
  const auto peer = accept(proxy);
  EXPECT_EQ(read_until(peer, "\r\n\r\n"),
            "CONNECT far.test:80 HTTP/1.1\r\nHost: far.test:80\r\n"
            "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n");
  write(peer, "HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n");
  const std::string request = answer(peer, "\x81\x02hi");
  EXPECT_TRUE(request.starts_with("GET /room HTTP/1.1\r\nHost: far.test\r\n")) << request;
  EXPECT_EQ(request.find("Proxy-Authorization"), std::string::npos);
  wait_for("text hi");
}

TEST_P(ClientSecureTest, TlsGoesThroughTheProxyToTheServer) {
  const RawServer proxy;
  use(proxy);
  options_.url = "wss://localhost:8443/";
  options_.tls.ca_file = certificate_.certificate_file();
  connect();
  auto peer = accept(proxy);
  EXPECT_EQ(read_until(peer, "\r\n\r\n"), "CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n\r\n");
  write(peer, "HTTP/1.1 200 OK\r\n\r\n");
  serve_tls(std::move(peer));
  wait_for("open");
  client_->send_text("hello");
  wait_for("text hello");
}

TEST_P(ClientSecureTest, ProxyThatRefusesIsQuoted) {
  const RawServer proxy;
  use(proxy);
  options_.url = "ws://far.test/";
  connect();
  const auto peer = accept(proxy);
  read_until(peer, "\r\n\r\n");
  write(peer, "HTTP/1.1 407 Who are you\r\nContent-Length: 5\r\n\r\nlogin");
  wait_for("failed proxy_refused end");
  EXPECT_EQ(diary_.error.status, 407);
  EXPECT_EQ(diary_.error.text, "the proxy answered 407 Proxy Authentication Required: \"login\"");
}

TEST_P(ClientSecureTest, ProxyThatSaysMoreThanItShouldIsNotTrusted) {
  const RawServer proxy;
  use(proxy);
  options_.url = "wss://localhost/";
  connect();
  const auto peer = accept(proxy);
  read_until(peer, "\r\n\r\n");
  write(peer, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 ");
  wait_for("failed rule_broken end");
}

TEST_P(ClientSecureTest, ProxyThatHangsUpOrFallsSilent) {
  const RawServer proxy;
  use(proxy);
  options_.url = "ws://far.test/";
  connect();
  {
    const auto peer = accept(proxy);
    read_until(peer, "\r\n\r\n");
  }
  wait_for("failed connection_lost end");
  EXPECT_NE(diary_.error.text.find("proxy"), std::string::npos) << diary_.error.text;
  connect();
  const auto peer = accept(proxy);
  read_until(peer, "\r\n\r\n");
  pass(options_.handshake_timeout + 200ms);
  EXPECT_EQ(diary_.last(), "failed timed_out end");
}

}  // namespace
}  // namespace fanfare::session
