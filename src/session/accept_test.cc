// Accepting connections: TLS, PROXY headers, and the limits at their boundaries.

#include <netinet/in.h>

#include <deque>
#include <fstream>
#include <sstream>

#include "net/certificate_for_tests.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

using namespace std::string_literals;

// The client side of a TLS connection, on the server's own loop.
class TlsPeer final : public net::TransportHandler {
 public:
  struct Diary {
    std::string received;
    bool secured = false;
    bool gone = false;
    std::string error;
    net::Stream* stream = nullptr;
  };
  explicit TlsPeer(Diary& diary) : diary_(diary) {}

 private:
  void on_adopted(net::Stream& stream) override { diary_.stream = &stream; }
  void on_secured() override { diary_.secured = true; }
  void on_receive(MutableBytes bytes) override { diary_.received += as_text(bytes); }
  void on_end() override { diary_.stream->close(); }
  void on_lost(const net::OsError& error) override { diary_.error = error.detail; }
  void on_detached() override {
    diary_.gone = true;
    diary_.stream = nullptr;
  }
  Diary& diary_;
};

class AcceptTest : public LoopServerTest {
 protected:
  ~AcceptTest() override {
    for (TlsPeer::Diary& diary : diaries_) {
      if (diary.stream != nullptr) diary.stream->close();
    }
    server_.reset();  // must be destroyed before the gate
    loop_->run_once(0ms);
  }

  void start_with(const AcceptLimits& limits) {
    gate_ = std::make_unique<AcceptGate>(limits);
    start({.gate = gate_.get()});
  }
  // Listens on a separate port with these options.
  void listen(ListenerOptions options, std::string_view host = "127.0.0.1") {
    if (server_ == nullptr) start();
    auto listening = net::listen_on(net::Address::parse(host, 0).value()).value();
    address_ = net::local_address(listening.get()).value();
    server_->listen(std::move(listening), service_, std::move(options));
  }
  std::shared_ptr<ServerCertificate> certificate() {
    return ServerCertificate::load(
               {.certificate_file = certificate_.certificate_file(), .key_file = certificate_.key_file()})
        .value();
  }
  // Returns a connected socket that the server may not have accepted yet.
  net::Descriptor dial() {
    auto peer = net::start_connect(address_).value();
    EXPECT_TRUE(run_until([&] { return net::peer_address(peer.get()).has_value(); }));
    return peer;
  }
  TlsPeer::Diary& dial_tls(std::string_view first = {}, const std::string& trusted = {}) {
    net::TlsClientOptions options;
    options.ca_file = trusted.empty() ? certificate_.certificate_file() : trusted;
    TlsPeer::Diary& diary = diaries_.emplace_back();
    auto connected = dial();
    if (!first.empty()) write(connected, first);
    net::Stream& peer = loop_->adopt(std::make_unique<TlsPeer>(diary), std::move(connected));
    peer.start_tls(net::TlsContext::client(options).value(), net::TlsRole::client, "localhost");
    return diary;
  }
  std::uint64_t refused(Refusal refusal) const { return server_->gate().refused(refusal); }
  bool session_count_is(std::size_t count) {
    return run_until([&] { return server_->sessions().size() == count; });
  }

  net::TestCertificate certificate_;
  net::Address address_;
  std::deque<TlsPeer::Diary> diaries_;
  std::unique_ptr<AcceptGate> gate_;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_P(AcceptTest, HttpAndWebSocketUnderTls) {
  listen({.certificate = certificate()});
  TlsPeer::Diary& peer = dial_tls();
  peer.stream->append(as_bytes(kGet));
  ASSERT_TRUE(run_until([&] { return peer.received.find("GET /a") != std::string::npos; })) << peer.error;
  peer.received.clear();
  peer.stream->append(as_bytes(kUpgrade));
  ASSERT_TRUE(run_until([&] { return peer.received.find("101 ") != std::string::npos; }));
  peer.received.clear();
  peer.stream->append(as_bytes(client_frame(0x81, "Hello")));
  ASSERT_TRUE(run_until([&] { return peer.received == "\x81\x05Hello"; }));
}

TEST_P(AcceptTest, FrameInTheSameRecordsAsTheUpgradeIsServed) {
  listen({.certificate = certificate()});
  TlsPeer::Diary& peer = dial_tls();
  peer.stream->append(as_bytes(std::string(kUpgrade) + client_frame(0x81, "early")));
  ASSERT_TRUE(run_until([&] {
    return peer.received.ends_with(
        "\x81\x05"
        "early");
  }));
}

TEST_P(AcceptTest, PlainHttpToATlsPortIsDroppedAndCounted) {
  listen({.certificate = certificate()});
  const auto peer = dial();
  write(peer, kGet);
  read_until(peer, "EOF");
  ASSERT_TRUE(session_count_is(0));
  EXPECT_EQ(refused(Refusal::tls_failed), 1U);
  EXPECT_EQ(server_->gate().connections(), 0U);
}

TEST_P(AcceptTest, ClientThatDoesNotTrustUsIsCounted) {
  listen({.certificate = certificate()});
  const net::TestCertificate other;
  TlsPeer::Diary& peer = dial_tls({}, other.certificate_file());
  ASSERT_TRUE(run_until([&] { return peer.gone; }));
  EXPECT_NE(peer.error.find("certificate not accepted"), std::string::npos) << peer.error;
  ASSERT_TRUE(session_count_is(0));
  EXPECT_EQ(refused(Refusal::tls_failed), 1U);
}

TEST_P(AcceptTest, TlsHandshakeHasADeadlineOfItsOwn) {
  listen({.certificate = certificate()});
  const auto silent = dial();
  const auto half = dial();
  write(half, "\x16\x03\x01\x02"s + std::string(1, '\0') + "\x01");
  ASSERT_TRUE(session_count_is(2));
  pass(4'900ms);
  EXPECT_EQ(server_->sessions().size(), 2U);
  pass(300ms);
  EXPECT_EQ(server_->sessions().size(), 0U);
  EXPECT_EQ(refused(Refusal::tls_timeout), 2U);
  EXPECT_EQ(read_now(silent), "EOF");
}

// Every byte would restart an idle timer; the deadline counts from the accept.
TEST_P(AcceptTest, WhatIsDrippedBeforeTheFirstRequestDoesNotMoveTheDeadline) {
  LoopServerOptions options;
  options.http.handshake_timeout = options.http.tls_timeout = 2s;
  start(options);
  struct Beginning {
    std::string bytes;
    ProxyProtocol proxy;
    Refusal refusal;
  };
  const std::string hello = "\x16\x03\x01\x02"s + std::string(1, '\0') + "\x01"s + std::string(200, '\0');
  const std::string header = "PROXY TCP4 1.2.3.4 1.2.3.5 1 2\r\n";
  for (const Beginning& beginning : {Beginning{hello, ProxyProtocol::off, Refusal::tls_timeout},
                                     Beginning{header + hello, ProxyProtocol::required, Refusal::tls_timeout},
                                     Beginning{"PROXY TCP6 " + std::string(60, '1'), ProxyProtocol::required,
                                               Refusal::handshake_timeout}}) {
    listen({.certificate = certificate(), .proxy_protocol = beginning.proxy});
    const std::uint64_t before = refused(beginning.refusal);
    const auto peer = dial();
    ASSERT_TRUE(session_count_is(1));
    for (std::size_t i = 0; i < 38; ++i) {
      write(peer, beginning.bytes.substr(i, 1));
      pass(50ms);
    }
    EXPECT_EQ(server_->sessions().size(), 1U);
    pass(200ms);
    EXPECT_EQ(server_->sessions().size(), 0U);
    EXPECT_EQ(refused(beginning.refusal), before + 1);
  }
}

TEST_P(AcceptTest, DeadlineOfTheFirstHeadCountsTheTlsHandshakeIn) {
  listen({.certificate = certificate()});
  TlsPeer::Diary& peer = dial_tls();
  ASSERT_TRUE(run_until([&] { return peer.secured; }));
  pass(9'900ms);
  EXPECT_FALSE(peer.gone);
  pass(400ms);
  EXPECT_TRUE(run_until([&] { return peer.gone; }));
  EXPECT_EQ(refused(Refusal::handshake_timeout), 1U);
}

TEST_P(AcceptTest, PeerThatLeavesInTheTlsHandshakeIsForgotten) {
  listen({.certificate = certificate()});
  {
    const auto peer = dial();
    ASSERT_TRUE(session_count_is(1));
  }
  EXPECT_TRUE(session_count_is(0));
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_P(AcceptTest, ReloadedCertificateIsForNewConnectionsAndOldOnesGoOn) {
  const auto holder = certificate();
  listen({.certificate = holder});
  TlsPeer::Diary& before = dial_tls();
  ASSERT_TRUE(run_until([&] { return before.secured; }));

  const net::TestCertificate renewed;
  std::ofstream(certificate_.certificate_file()) << read_file(renewed.certificate_file());
  const auto mismatch = holder->reload();  // the key is still the old one
  ASSERT_FALSE(mismatch);
  EXPECT_NE(mismatch.error().find(certificate_.key_file()), std::string::npos) << mismatch.error();
  TlsPeer::Diary& refuses = dial_tls();
  // The server presents the old certificate; the client trusts the new one.
  ASSERT_TRUE(run_until([&] { return refuses.gone; }));

  std::ofstream(certificate_.key_file()) << read_file(renewed.key_file());
  ASSERT_TRUE(holder->reload());
  TlsPeer::Diary& after = dial_tls();
  ASSERT_TRUE(run_until([&] { return after.secured; })) << after.error;
  before.stream->append(as_bytes(kGet));
  EXPECT_TRUE(run_until([&] { return before.received.find("GET /a") != std::string::npos; }));
}

TEST_P(AcceptTest, ProxyHeaderNamesThePeer) {
  std::string seen;
  service_.when_request = [&](HttpConnection& session) { seen = session.peer(); };
  listen({.proxy_protocol = ProxyProtocol::required});
  const auto one = dial();
  write(one, "PROXY TCP4 192.0.2.7 198.51.100.1 50312 443\r\n" + std::string(kGet));
  read_until(one, "GET /a");
  EXPECT_EQ(seen, "192.0.2.7:50312");
  const auto local = dial();
  write(local, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s + std::string(kGet));
  read_until(local, "GET /a");
  EXPECT_EQ(seen, net::local_address(local.get())->text());
}

TEST_P(AcceptTest, ProxyHeaderMayComeInPieces) {
  std::string seen;
  service_.when_request = [&](HttpConnection& session) { seen = session.peer(); };
  listen({.proxy_protocol = ProxyProtocol::required});
  const auto peer = dial();
  ASSERT_TRUE(session_count_is(1));
  for (const char byte : "PROXY TCP6 2001:db8::7 ::1 1 2\r\n"s + std::string(kGet)) {
    write(peer, std::string_view(&byte, 1));
    loop_->run_once(0ms);
  }
  read_until(peer, "GET /a");
  EXPECT_EQ(seen, "[2001:db8::7]:1");
}

TEST_P(AcceptTest, TlsBeginsBehindTheProxyHeader) {
  std::string seen;
  service_.when_request = [&](HttpConnection& session) { seen = session.peer(); };
  listen({.certificate = certificate(), .proxy_protocol = ProxyProtocol::required});
  TlsPeer::Diary& peer = dial_tls("PROXY TCP4 192.0.2.7 198.51.100.1 50312 443\r\n");
  peer.stream->append(as_bytes(kGet));
  ASSERT_TRUE(run_until([&] { return peer.received.find("GET /a") != std::string::npos; })) << peer.error;
  EXPECT_EQ(seen, "192.0.2.7:50312");
}

TEST_P(AcceptTest, ClientHelloInTheSamePieceAsTheProxyHeader) {
  listen({.certificate = certificate(), .proxy_protocol = ProxyProtocol::required});
  // A client's first bytes, captured from one without a peer.
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  const net::Descriptor other(ends[1]);
  TlsPeer::Diary& talker = diaries_.emplace_back();
  net::Stream& talking = loop_->adopt(std::make_unique<TlsPeer>(talker), net::Descriptor(ends[0]));
  talking.start_tls(net::TlsContext::client({.verify = false}).value(), net::TlsRole::client, "localhost");
  std::string hello;
  ASSERT_TRUE(run_until([&] { return !(hello += read_now(other)).empty(); }));
  const auto peer = dial();
  write(peer, "PROXY TCP4 192.0.2.7 198.51.100.1 50312 443\r\n" + hello);
  std::string answer;
  ASSERT_TRUE(run_until([&] { return !(answer += read_now(peer)).empty(); }));
  EXPECT_EQ(answer.substr(0, 2), "\x16\x03");  // a handshake record
  EXPECT_EQ(refused(Refusal::tls_failed), 0U);
}

TEST_P(AcceptTest, MissingOrMalformedProxyHeaderIsDroppedAndCounted) {
  listen({.proxy_protocol = ProxyProtocol::required});
  for (const std::string& first : {std::string(kGet), "PROXY TCP4 1.2.3.4\r\n"s, "\x16\x03\x01"s}) {
    const auto peer = dial();
    write(peer, first);
    EXPECT_EQ(read_until(peer, "EOF"), "EOF");
  }
  EXPECT_EQ(refused(Refusal::proxy_header), 3U);
  ASSERT_TRUE(session_count_is(0));
}

TEST_P(AcceptTest, ProxyThatOnlyLooksIsNoError) {
  listen({.proxy_protocol = ProxyProtocol::required});
  {
    const auto peer = dial();
    ASSERT_TRUE(session_count_is(1));
  }
  ASSERT_TRUE(session_count_is(0));
  EXPECT_EQ(refused(Refusal::proxy_header), 0U);
}

TEST_P(AcceptTest, ProxyHeaderThatNeverEndsIsDroppedAfterHandshakeTimeout) {
  listen({.proxy_protocol = ProxyProtocol::required});
  const auto peer = dial();
  write(peer, "PROXY TCP4 ");
  ASSERT_TRUE(session_count_is(1));
  pass(9'800ms);
  EXPECT_EQ(server_->sessions().size(), 1U);
  pass(400ms);
  EXPECT_EQ(server_->sessions().size(), 0U);
  EXPECT_EQ(refused(Refusal::handshake_timeout), 1U);
}

TEST_P(AcceptTest, ProxyHeaderIsNotBelievedUnlessAskedFor) {
  listen({});
  const auto peer = dial();
  write(peer, "PROXY TCP4 192.0.2.7 198.51.100.1 50312 443\r\n" + std::string(kGet));
  EXPECT_NE(read_until(peer, "EOF").find("400 Bad Request"), std::string::npos);
}

TEST_P(AcceptTest, ConnectionsOfOneAddressAreLimitedAtTheEdge) {
  start_with({.per_address = {.connections_max = 2}});
  listen({});
  const auto one = dial();
  auto two = dial();
  ASSERT_TRUE(session_count_is(2));
  const auto three = dial();
  read_until(three, "EOF");
  EXPECT_EQ(refused(Refusal::address_connections), 1U);
  two = net::Descriptor();
  ASSERT_TRUE(session_count_is(1));
  const auto four = dial();
  write(four, kGet);
  read_until(four, "GET /a");
  EXPECT_EQ(refused(Refusal::address_connections), 1U);
}

TEST_P(AcceptTest, AnnouncedAddressIsTheOneThatCounts) {
  start_with({.per_address = {.connections_max = 1}});
  listen({.proxy_protocol = ProxyProtocol::required});
  const auto request_from = [](std::string_view host) {
    return "PROXY TCP4 " + std::string(host) + " 198.51.100.1 50312 443\r\n" + std::string(kGet);
  };
  const auto one = dial();
  write(one, request_from("192.0.2.7"));
  read_until(one, "GET /a");
  const auto same = dial();
  write(same, request_from("192.0.2.7"));
  EXPECT_EQ(read_until(same, "EOF"), "EOF");
  EXPECT_EQ(refused(Refusal::address_connections), 1U);
  const auto other = dial();
  write(other, request_from("192.0.2.8"));
  read_until(other, "GET /a");
}

TEST_P(AcceptTest, NewConnectionsOfOneAddressAreLimitedInTime) {
  start_with({.per_address = {.connections_per_second = 1, .burst = 2}});
  listen({});
  const auto one = dial();
  const auto two = dial();
  ASSERT_TRUE(session_count_is(2));
  const auto three = dial();
  read_until(three, "EOF");
  EXPECT_EQ(refused(Refusal::address_rate), 1U);
  pass(1s);
  const auto four = dial();
  write(four, kGet);
  read_until(four, "GET /a");
  const auto five = dial();
  read_until(five, "EOF");
  EXPECT_EQ(refused(Refusal::address_rate), 2U);
}

TEST_P(AcceptTest, ConnectionsOverAllLoopsAreLimitedAtTheEdge) {
  start_with({.connections_max = 2});
  const auto one = connect();
  auto other_loop = net::Loop::create({.kind = GetParam(), .clock = &clock_}).value();
  LoopServer other(*other_loop, {.sweep_interval = 100ms, .gate = gate_.get()});
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  net::Descriptor two(ends[1]);
  other.serve(net::Descriptor(ends[0]), service_);
  EXPECT_EQ(other.sessions().size(), 1U);
  const auto three = connect();
  EXPECT_EQ(read_now(three), "EOF");
  EXPECT_EQ(refused(Refusal::server_connections), 1U);
  two = net::Descriptor();
  while (other.sessions().size() > 0) other_loop->run_once(1ms);
  const auto four = connect();
  write(four, kGet);
  read_until(four, "GET /a");
}

TEST_P(AcceptTest, ConnectionsOfOneLoopAreCountedByReason) {
  start({.connections_max = 1});
  const auto one = connect();
  const auto two = connect();
  EXPECT_EQ(read_now(two), "EOF");
  EXPECT_EQ(refused(Refusal::loop_connections), 1U);
  server_->drain(1012, "");
  const auto three = connect();
  EXPECT_EQ(read_now(three), "EOF");
  EXPECT_EQ(refused(Refusal::shutting_down), 1U);
}

TEST_P(AcceptTest, Ip6Listens) {
  std::string seen;
  service_.when_request = [&](HttpConnection& session) { seen = session.peer(); };
  listen({}, "::1");
  EXPECT_EQ(address_.text().substr(0, 6), "[::1]:");
  const auto peer = dial();
  write(peer, kGet);
  read_until(peer, "GET /a");
  EXPECT_EQ(seen, net::local_address(peer.get())->text());
}

// "::" is IPv6 only, so the same port stays free for IPv4.
TEST_P(AcceptTest, Ip6WildcardLeavesIp4Alone) {
  listen({}, "::");
  const auto ip4 = net::listen_on(net::Address::parse("0.0.0.0", address_.port()).value());
  EXPECT_TRUE(ip4) << ip4.error().message();
}

INSTANTIATE_TEST_SUITE_P(Kinds, AcceptTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

}  // namespace
}  // namespace fanfare::session
