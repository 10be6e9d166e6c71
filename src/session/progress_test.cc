// Deadlines depend on how much the peer accepts, not on the time since data was queued. Tests use slow
// readers over TCP, TLS and Unix sockets, and a clock that only the test advances.

#include <algorithm>

#include "net/certificate_for_tests.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::session {
namespace {

// Reads through TLS only on request.
class TlsReader final : public net::TransportHandler {
 public:
  struct Diary {
    bool secured = false;
    bool ended = false;
    std::string unread;
    net::Stream* stream = nullptr;
  };
  explicit TlsReader(Diary& diary) : diary_(diary) {}

 private:
  void on_adopted(net::Stream& stream) override { diary_.stream = &stream; }
  void on_secured() override { diary_.secured = true; }
  void on_receive(MutableBytes bytes) override { diary_.unread += as_text(bytes); }
  void on_end() override { diary_.ended = true; }
  void on_lost(const net::OsError&) override { diary_.ended = true; }
  void on_detached() override { diary_.stream = nullptr; }

  Diary& diary_;
};

enum class Transport : std::uint8_t { unix_socket, tcp, tls };

class ProgressTest : public LoopServerTest {
 protected:
  static constexpr std::size_t kBigBytes = 2'000'000;
  static constexpr int kSmallBuffer = 32 * 1024;

  ProgressTest() {
    settings_.outbox_bytes_max = std::size_t{4} << 20;
    http_.idle_timeout = 20s;
    service_.when_request = [this](HttpConnection& session) {
      if (const std::size_t size = std::exchange(answer_bytes_, 0); size > 0) {
        session.respond({.body = std::string(size, 'x'), .headers = {}});
      }
    };
  }

  void connect_over(Transport transport) {
    LoopServerOptions options;
    options.http = http_;
    options.sweep_interval = sweep_interval_;
    server_ = std::make_unique<LoopServer>(*loop_, options);
    if (transport == Transport::unix_socket) {
      std::array<int, 2> ends{};
      ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
      ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &kSmallBuffer, sizeof(kSmallBuffer));
      server_->serve(net::Descriptor(ends[0]), service_);
      peer_ = net::Descriptor(ends[1]);
      return;
    }
    auto listening = net::listen_on(net::Address::parse("127.0.0.1", 0).value()).value();
    const net::Address address = net::local_address(listening.get()).value();
    ::setsockopt(listening.get(), SOL_SOCKET, SO_SNDBUF, &kSmallBuffer, sizeof(kSmallBuffer));
    ListenerOptions listener;
    if (transport == Transport::tls) {
      listener.certificate = ServerCertificate::load({.certificate_file = certificate().certificate_file(),
                                                      .key_file = certificate().key_file()})
                                 .value();
    }
    server_->listen(std::move(listening), service_, listener);
    peer_ = net::start_connect(address).value();
    ::setsockopt(peer_.get(), SOL_SOCKET, SO_RCVBUF, &kSmallBuffer, sizeof(kSmallBuffer));
    ASSERT_TRUE(run_until([&] { return server_->sessions().size() == 1; }));
    if (transport != Transport::tls) return;
    net::TlsClientOptions trust;
    trust.ca_file = certificate().certificate_file();
    loop_->adopt_connecting(std::make_unique<TlsReader>(reader_), std::move(peer_));
    reader_.stream->start_tls(net::TlsContext::client(trust).value(), net::TlsRole::client, "localhost");
    ASSERT_TRUE(run_until([&] { return reader_.secured; }));
    reader_.stream->pause_reading();
  }
  void open_websocket_over(Transport transport) {
    connect_over(transport);
    send_bytes(kUpgrade);
    take_until([&](const std::string& got) { return got.find("\r\n\r\n") != std::string::npos; });
  }

  // Created once, because generating a key takes longer than a test.
  static net::TestCertificate& certificate() {
    static net::TestCertificate made;
    return made;
  }
  void send_bytes(std::string_view bytes) {
    if (reader_.stream == nullptr) return write(peer_, bytes);
    reader_.stream->append(as_bytes(bytes));
    loop_->run_once(0ms);
  }
  bool is_tls() const { return !peer_.valid(); }
  // Takes some of the available data, at most 16 KiB (slightly more under TLS); "EOF" at the end.
  std::string take_once() {
    std::string got;
    if (is_tls()) {
      if (reader_.stream != nullptr) reader_.stream->resume_reading();
      // A pause that io_uring has not processed yet takes effect one turn later.
      for (int turn = 0; turn < 4 && reader_.unread.empty() && !reader_.ended; ++turn) loop_->run_once(0ms);
      if (reader_.stream != nullptr) reader_.stream->pause_reading();
      got = std::exchange(reader_.unread, {});
      if (got.empty() && reader_.ended) got = "EOF";
      return got;
    }
    got.resize(16 * 1024);
    const ssize_t size = ::recv(peer_.get(), got.data(), got.size(), 0);
    got.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return size == 0 ? "EOF" : got;
  }
  // Waits for data.
  std::string take_some() {
    std::string got;
    EXPECT_TRUE(run_until([&] { return !(got = take_once()).empty(); }));
    return got;
  }
  template <typename Condition>
  std::string take_until(Condition condition) {
    std::string got;
    EXPECT_TRUE(run_until([&] {
      got += take_once();
      return condition(got);
    }));
    return got;
  }
  // Takes all data as it arrives, with half a second of test time per 16 KiB. Returns the number of bytes
  // before the end.
  std::size_t take_slowly(std::size_t expected) {
    std::size_t all = 0;
    while (all < expected) {
      const std::string got = take_some();
      if (got.empty() || got == "EOF") break;
      all += got.size();
      spend_time_on(got);
    }
    return all;
  }
  void spend_time_on(const std::string& got) {
    const Duration time = 500ms * (1 + got.size() / (16 * 1024 + 1));
    slow_time_ += time;
    pass(time);
  }
  bool is_gone() const { return server_->sessions().size() == 0; }

  HttpSettings http_;
  Duration sweep_interval_ = 100ms;
  std::size_t answer_bytes_ = 0;
  Duration slow_time_ = 0s;
  TlsReader::Diary reader_;
  net::Descriptor peer_;
};

constexpr std::array kTransports{Transport::unix_socket, Transport::tcp, Transport::tls};

constexpr std::array<const char*, 3> kNames{"unix", "tcp", "tls"};

class OverAllTransports : public ProgressTest {
 protected:
  template <typename Test>
  void over_all(Test test) {
    for (const Transport transport : kTransports) {
      SCOPED_TRACE(kNames.at(static_cast<std::size_t>(transport)));
      slow_time_ = 0s;
      test(transport);
      peer_ = {};
      if (reader_.stream != nullptr) reader_.stream->close();
      run_until([&] { return reader_.stream == nullptr && is_gone(); });
      reader_ = {};
      server_.reset();
      if (HasFailure()) return;
    }
  }
};

TEST_P(OverAllTransports, LastAnswerIsDeliveredWholeToASlowReader) {
  over_all([&](Transport transport) {
    connect_over(transport);
    answer_bytes_ = kBigBytes;
    send_bytes("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_GE(take_slowly(kBigBytes), kBigBytes);
    EXPECT_GT(slow_time_, http_.idle_timeout + http_.linger_timeout);
  });
}

TEST_P(OverAllTransports, AnswerOfAConnectionThatStaysIsDeliveredWholeToASlowReader) {
  over_all([&](Transport transport) {
    connect_over(transport);
    answer_bytes_ = kBigBytes;
    send_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_GE(take_slowly(kBigBytes), kBigBytes);
    EXPECT_GT(slow_time_, http_.idle_timeout);
    send_bytes("GET /more HTTP/1.1\r\nHost: x\r\n\r\n");
    take_until([](const std::string& got) { return got.find("GET /more") != std::string::npos; });
  });
}

TEST_P(OverAllTransports, ClientThatTakesNothingOfAnAnswerIsDroppedAfterIdleTimeout) {
  over_all([&](Transport transport) {
    connect_over(transport);
    answer_bytes_ = kBigBytes;
    send_bytes("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(run_until([&] { return answer_bytes_ == 0; }));
    pass(http_.idle_timeout - 300ms);
    EXPECT_FALSE(is_gone());
    EXPECT_TRUE(pass_until([&] { return is_gone(); }, http_.idle_timeout));
  });
}

TEST_P(OverAllTransports, ClientSlowerThanTheRateIsDroppedLikeOneThatTakesNothing) {
  http_.drain_bytes_per_second_min = 1'000'000;
  over_all([&](Transport transport) {
    connect_over(transport);
    answer_bytes_ = kBigBytes;
    send_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    while (!is_gone() && slow_time_ < 2 * http_.idle_timeout) {
      spend_time_on(take_some());
    }
    EXPECT_TRUE(is_gone());
    EXPECT_LT(slow_time_, 2 * http_.idle_timeout);
  });
}

TEST_P(OverAllTransports, MessageAndCloseAreDeliveredWholeToASlowReader) {
  over_all([&](Transport transport) {
    open_websocket_over(transport);
    endpoint_.last->send(ws::Opcode::binary, as_bytes(std::string(kBigBytes, 'x')));
    endpoint_.last->start_closing(1000, "that is all");
    const std::size_t expected = 10 + kBigBytes + 2 + 2 + 11;
    EXPECT_EQ(take_slowly(expected), expected);
    EXPECT_GT(slow_time_, 2 * settings_.close_timeout);
    send_bytes(client_frame(0x88, "\x03\xe8"));
    EXPECT_TRUE(run_until([&] { return endpoint_.last == nullptr; }));
    EXPECT_EQ(endpoint_.events.back(), "close we_closed 1000 ");
  });
}

TEST_P(OverAllTransports, PeerThatTakesNothingOfACloseIsDroppedAfterCloseTimeout) {
  over_all([&](Transport transport) {
    open_websocket_over(transport);
    endpoint_.last->send(ws::Opcode::binary, as_bytes(std::string(kBigBytes, 'x')));
    endpoint_.last->start_closing(1000);
    loop_->run_once(0ms);
    pass(settings_.close_timeout - 300ms);
    EXPECT_FALSE(is_gone());
    EXPECT_TRUE(pass_until([&] { return is_gone(); }, settings_.close_timeout));
    EXPECT_EQ(endpoint_.events.back(), "close we_closed 1006 ");
  });
}

// The ping waits behind the message, and the peer sends nothing meanwhile.
TEST_P(OverAllTransports, SlowReaderIsNotTakenForDeadWhileItTakesWhatIsBeforeThePing) {
  settings_.ping_interval = 2s;
  settings_.pong_timeout = 6s;
  over_all([&](Transport transport) {
    open_websocket_over(transport);
    endpoint_.last->send(ws::Opcode::binary, as_bytes(std::string(kBigBytes, 'x')));
    loop_->run_once(0ms);
    const std::size_t expected = 10 + kBigBytes + 2;
    EXPECT_EQ(take_slowly(expected), expected);
    EXPECT_GT(slow_time_, 2 * (settings_.ping_interval + settings_.pong_timeout));
    // Its system accepted the ping at most three seconds ago, so there is still time to answer.
    pass(1s);
    EXPECT_FALSE(is_gone());
    EXPECT_TRUE(pass_until([&] { return is_gone(); }, 2 * settings_.pong_timeout));
    EXPECT_EQ(endpoint_.events.back(), "close pong_timeout 1006 ");
  });
}

TEST_P(OverAllTransports, DeadlineNoLongerThanASweepIsKeptByTheSecondLook) {
  sweep_interval_ = 1s;
  settings_.ping_interval = 500ms;
  settings_.pong_timeout = 1s;
  over_all([&](Transport transport) {
    open_websocket_over(transport);
    endpoint_.last->send(ws::Opcode::binary, as_bytes(std::string(kBigBytes, 'x')));
    loop_->run_once(0ms);
    for (std::size_t all = 0; all < kBigBytes; pass(50ms)) {
      const std::string got = take_some();
      all += got.size();
      ASSERT_NE(got, "EOF") << all;
    }
    EXPECT_TRUE(pass_until([&] { return is_gone(); }, 8s));
    EXPECT_EQ(endpoint_.events.back(), "close pong_timeout 1006 ");
  });
}

TEST_P(OverAllTransports, SessionIsNotIdleWhileAMessageIsTaken) {
  settings_.ping_interval = 0s;
  settings_.idle_timeout = 6s;
  over_all([&](Transport transport) {
    open_websocket_over(transport);
    endpoint_.last->send(ws::Opcode::binary, as_bytes(std::string(kBigBytes, 'x')));
    loop_->run_once(0ms);
    EXPECT_EQ(take_slowly(10 + kBigBytes), 10 + kBigBytes);
    EXPECT_GT(slow_time_, 2 * settings_.idle_timeout);
    EXPECT_TRUE(endpoint_.last->is_open());
    pass(settings_.idle_timeout + 500ms);
    EXPECT_FALSE(endpoint_.last->is_open());
  });
}

// A peer that lets pongs pile up and accepts them occasionally cannot stay longer than that.
TEST_P(OverAllTransports, DeadlineOfAClosingBeginsAgainOnce) {
  over_all([&](Transport transport) {
    open_websocket_over(transport);
    endpoint_.last->start_closing(1000);
    for (Duration time = 0s; time < 3 * settings_.close_timeout && !is_gone(); time += 500ms) {
      send_bytes(client_frame(0x89, "more"));
      loop_->run_once(0ms);
      take_once();
      pass(500ms);
    }
    EXPECT_TRUE(is_gone());
  });
}

TEST_P(ProgressTest, StoppingDeliversAnswersThatAreQueued) {
  connect_over(Transport::tcp);
  answer_bytes_ = kBigBytes;
  send_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return answer_bytes_ == 0; }));
  server_->drain(1001, "bye");
  EXPECT_GE(take_slowly(kBigBytes), kBigBytes);
}

const auto kKinds = testing::Values(net::LoopKind::epoll, net::LoopKind::uring);
constexpr auto kNameOf = [](const auto& kind) {
  return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
};
INSTANTIATE_TEST_SUITE_P(Kinds, ProgressTest, kKinds, kNameOf);
INSTANTIATE_TEST_SUITE_P(Kinds, OverAllTransports, kKinds, kNameOf);

}  // namespace
}  // namespace fanfare::session
