// A client whose host has several addresses, some of which do not answer. Only the test advances the clock,
// so anything without pass() happens immediately.

#include "session/dial_race.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "session/client_for_tests.h"

namespace fanfare::session {
namespace {

net::Address address(const std::string& host, std::uint16_t port) {
  return *net::Address::parse(host, port);
}

TEST(Interleaved, TheFamiliesTakeTurnsBeginningWithTheFirst_RFC8305_4) {
  const auto texts = [](const std::vector<net::Address>& addresses) {
    std::string all;
    for (const net::Address& one : interleaved(addresses)) all += one.text() + " ";
    return all;
  };
  EXPECT_EQ(texts({address("::1", 1), address("::2", 1), address("::3", 1), address("127.0.0.1", 1)}),
            "[::1]:1 127.0.0.1:1 [::2]:1 [::3]:1 ");
  EXPECT_EQ(texts({address("127.0.0.1", 1), address("127.0.0.2", 1), address("::1", 1), address("::2", 1)}),
            "127.0.0.1:1 [::1]:1 127.0.0.2:1 [::2]:1 ");
  EXPECT_EQ(texts({address("127.0.0.1", 1), address("127.0.0.2", 1)}), "127.0.0.1:1 127.0.0.2:1 ");
}

// A listening socket with a full queue: further connections hang.
class Blackhole {
 public:
  explicit Blackhole(const std::string& host = "127.0.0.1")
      : listening_(std::move(net::listen_on(session::address(host, 0), {.backlog = 0}).value())),
        address_(*net::local_address(listening_.get())) {
    for (int i = 0; i < 4; ++i) crowd_.push_back(net::start_connect(address_).value());
  }
  const net::Address& address() const { return address_; }

 private:
  net::Descriptor listening_;
  net::Address address_;
  std::vector<net::Descriptor> crowd_;
};

class DialRaceTest : public ClientTest {
 protected:
  DialRaceTest() { options_.reconnect.enabled = false; }

  // The address of our own server.
  net::Address alive(const std::string& host = "127.0.0.1") {
    serve(session::address(host, 0));
    const std::size_t colon = options_.url.rfind(':');
    return session::address(host, static_cast<std::uint16_t>(std::stoi(options_.url.substr(colon + 1))));
  }
  // An address on which nothing listens.
  static net::Address dead() {
    const RawServer gone;
    return session::address("127.0.0.1", gone.port());
  }
  void connect_to(std::vector<net::Address> addresses) {
    lookup_ = [addresses = std::move(addresses)](const std::string&, std::uint16_t) -> Resolver::Result {
      return addresses;
    };
    options_.url = "ws://many.test" + path_;
    connect();
  }
  // Waits until `count` connections are being established or open.
  bool wait_for_connections(std::size_t count) {
    return run_until([&] { return clients_.sessions().size() == count; });
  }

  std::string path_ = "/";
};

INSTANTIATE_TEST_SUITE_P(Kinds, DialRaceTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         &loop_kind_name);

TEST_P(DialRaceTest, ASilentAddressIsOvertakenAfterTheAttemptDelay_RFC8305_5) {
  const Blackhole silent;
  connect_to({silent.address(), alive()});
  ASSERT_TRUE(wait_for_connections(1));
  pass(kConnectionAttemptDelay - 50ms);
  EXPECT_EQ(clients_.sessions().size(), 1U);
  pass(50ms);
  wait_for("open");
  // The silent one is closed.
  EXPECT_TRUE(wait_for_connections(1));
  EXPECT_EQ(diary_.events.size(), 1U);
  EXPECT_EQ(endpoint_.open.size(), 1U);
}

TEST_P(DialRaceTest, TheSecondAddressIsLeftAloneWhenTheFirstAnswers) {
  const RawServer second;
  connect_to({alive(), session::address("127.0.0.1", second.port())});
  wait_for("open");
  pass(2 * kConnectionAttemptDelay);
  EXPECT_FALSE(second.accept().valid());
}

TEST_P(DialRaceTest, ARefusalStartsTheNextAtOnce) {
  connect_to({dead(), dead(), alive()});
  wait_for("open");
}

TEST_P(DialRaceTest, ARefusalBehindASilentAddressStartsTheNextAtOnce) {
  const Blackhole silent;
  connect_to({silent.address(), dead(), alive()});
  ASSERT_TRUE(wait_for_connections(1));
  pass(kConnectionAttemptDelay);
  wait_for("open");
}

TEST_P(DialRaceTest, LocalhostOpensAtOnceWhicheverFamilyTheServerHas) {
  lookup_ = [](const std::string&, std::uint16_t) -> Resolver::Result { std::abort(); };
  for (const std::string host : {"127.0.0.1", "::1"}) {
    const net::Address there = alive(host);
    options_.url = "ws://localhost:" + std::to_string(there.port()) + "/";
    diary_.events.clear();
    connect();
    wait_for("open");
    client_.reset();
    server_.reset();
  }
}

TEST_P(DialRaceTest, TheFamiliesTakeTurns) {
  const Blackhole silent("::1");
  const Blackhole other("::1");
  connect_to({silent.address(), other.address(), alive()});
  ASSERT_TRUE(wait_for_connections(1));
  pass(kConnectionAttemptDelay);
  wait_for("open");
}

TEST_P(DialRaceTest, TheWholeTimeIsKeptAndTheErrorNamesEveryAddress) {
  const Blackhole silent;
  const Blackhole other;
  const net::Address refusing = dead();
  options_.connect_timeout = 3s;
  connect_to({silent.address(), refusing, other.address()});
  ASSERT_TRUE(wait_for_connections(1));
  pass(2900ms);
  EXPECT_EQ(clients_.sessions().size(), 2U);
  EXPECT_EQ(diary_.last(), "");
  pass(200ms);
  EXPECT_EQ(diary_.last(), "failed timed_out end");
  for (const net::Address& one : {silent.address(), other.address()}) {
    EXPECT_NE(diary_.error.text.find("connect " + one.text() + ": no answer within "), std::string::npos)
        << diary_.error.text;
  }
  EXPECT_NE(diary_.error.text.find("connect " + refusing.text() + ": Connection refused; "),
            std::string::npos)
      << diary_.error.text;
  EXPECT_FALSE(diary_.error.text.ends_with("; "));
  EXPECT_TRUE(wait_for_connections(0));
}

TEST_P(DialRaceTest, ManyAddressesShareAShortTime) {
  const Blackhole silent;
  options_.connect_timeout = 1s;
  connect_to(std::vector<net::Address>(20, silent.address()));
  ASSERT_TRUE(wait_for_connections(1));
  pass(950ms);
  EXPECT_EQ(clients_.sessions().size(), 20U);
  pass(200ms);
  EXPECT_EQ(diary_.last(), "failed timed_out end");
  EXPECT_EQ(diary_.error.text.find("not tried"), std::string::npos) << diary_.error.text;
}

TEST_P(DialRaceTest, AddressesThatWereNotTriedAreCounted) {
  const Blackhole silent;
  options_.connect_timeout = 40ms;  // less than a turn of the test's clock
  connect_to(std::vector<net::Address>(20, silent.address()));
  ASSERT_TRUE(wait_for_connections(1));
  pass(150ms);
  EXPECT_EQ(diary_.last(), "failed timed_out end");
  EXPECT_TRUE(diary_.error.text.ends_with("; 19 more addresses were not tried in time")) << diary_.error.text;
}

TEST_P(DialRaceTest, AWinnerThatIsRefusedEndsTheAttempt) {
  path_ = "/404";
  const net::Address there = alive();
  const net::Address refusing = dead();
  connect_to({refusing, there, there});
  wait_for("failed rejected end");
  EXPECT_TRUE(diary_.error.text.starts_with("connect " + refusing.text() + ": Connection refused; "))
      << diary_.error.text;
  EXPECT_NE(diary_.error.text.find("404"), std::string::npos);
  EXPECT_EQ(service_.targets.size(), 1U);
}

TEST_P(DialRaceTest, ClosedDuringTheRace) {
  const Blackhole silent;
  const Blackhole other;
  connect_to({silent.address(), other.address(), alive()});
  ASSERT_TRUE(wait_for_connections(1));
  pass(kConnectionAttemptDelay);
  ASSERT_TRUE(wait_for_connections(2));
  EXPECT_TRUE(client_->close(1000));
  wait_for("failed cancelled end");
  EXPECT_TRUE(wait_for_connections(0));
  pass(2 * kConnectionAttemptDelay);
  EXPECT_EQ(diary_.events.size(), 1U);
  EXPECT_TRUE(endpoint_.open.empty());
}

TEST_P(DialRaceTest, DestroyedDuringTheRaceSaysNothing) {
  const Blackhole silent;
  const Blackhole other;
  connect_to({silent.address(), other.address(), alive()});
  ASSERT_TRUE(wait_for_connections(1));
  pass(kConnectionAttemptDelay);
  ASSERT_TRUE(wait_for_connections(2));
  client_.reset();
  EXPECT_TRUE(wait_for_connections(0));
  pass(2 * kConnectionAttemptDelay);
  EXPECT_TRUE(diary_.events.empty());
}

TEST_P(DialRaceTest, DestroyedByTheHandlerThatLearnsOfTheEnd) {
  diary_.when = [this](Client&, const std::string&) { client_.reset(); };
  connect_to({dead(), dead()});
  EXPECT_TRUE(run_until([&] { return client_ == nullptr; }));
  EXPECT_TRUE(wait_for_connections(0));
  EXPECT_EQ(diary_.events, std::vector<std::string>{"failed connect_failed end"});

  diary_.events.clear();
  const Blackhole silent;
  options_.connect_timeout = 1s;
  connect_to({silent.address(), silent.address()});
  ASSERT_TRUE(wait_for_connections(1));
  pass(1200ms);
  EXPECT_EQ(client_, nullptr);
  EXPECT_TRUE(wait_for_connections(0));
}

TEST_P(DialRaceTest, TheNextAttemptIsARaceOfItsOwn) {
  options_.reconnect.enabled = true;
  const net::Address refusing = dead();
  connect_to({refusing, refusing});
  wait_for("failed connect_failed retry");
  const std::string first = diary_.error.text;
  diary_.events.clear();
  pass(300ms);
  wait_for("failed connect_failed retry");
  EXPECT_EQ(diary_.error.text, first);
}

}  // namespace
}  // namespace fanfare::session
