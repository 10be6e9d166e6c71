#include "session/resolver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>

namespace fanfare::session {
namespace {

using namespace std::chrono_literals;

class ResolverTest : public testing::Test {
 protected:
  template <typename Condition>
  bool run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_->run_once(5ms);
    }
    return true;
  }
  std::unique_ptr<net::Loop> loop_ = std::move(net::Loop::create().value());
};

TEST_F(ResolverTest, FindsTheAddressesOfThisMachine) {
  Resolver resolver;
  std::optional<Resolver::Result> result;
  const auto question =
      resolver.ask(*loop_, "localhost", 8546, [&](Resolver::Result found) { result = std::move(found); });
  ASSERT_TRUE(run_until([&] { return result.has_value(); }));
  ASSERT_TRUE(result->has_value()) << result->error();
  ASSERT_FALSE((*result)->empty());
  EXPECT_TRUE((*result)->front().is_loopback());
  EXPECT_EQ((*result)->front().port(), 8546);
}

TEST_F(ResolverTest, NamesTheHostThatCannotBeResolved) {
  // RFC6761§6.4: no name ends in "invalid".
  const auto result = Resolver::system_lookup("nowhere.invalid", 80);
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().find("\"nowhere.invalid\" cannot be resolved: "), std::string::npos);
}

TEST_F(ResolverTest, AnswersInTheOrderOfTheQuestions) {
  Resolver resolver([](const std::string& host, std::uint16_t) -> Resolver::Result {
    return std::unexpected("looked up " + host);
  });
  std::string answers;
  const auto note = [&](Resolver::Result found) { answers += found.error() + ";"; };
  const auto one = resolver.ask(*loop_, "one", 1, note);
  const auto two = resolver.ask(*loop_, "two", 1, note);
  ASSERT_TRUE(run_until([&] { return answers.ends_with("two;"); }));
  EXPECT_EQ(answers, "looked up one;looked up two;");
}

TEST_F(ResolverTest, WithdrawnQuestionIsNotAnswered) {
  std::promise<void> started;
  std::promise<void> go;
  std::atomic<int> lookups = 0;
  Resolver resolver([&](const std::string&, std::uint16_t) -> Resolver::Result {
    if (++lookups == 1) {
      started.set_value();
      go.get_future().wait();
    }
    return std::unexpected("no");
  });
  int answers = 0;
  auto under_way = resolver.ask(*loop_, "one", 1, [&](Resolver::Result) { answers += 1; });
  auto waiting = resolver.ask(*loop_, "two", 1, [&](Resolver::Result) { answers += 10; });
  auto last = resolver.ask(*loop_, "three", 1, [&](Resolver::Result) { answers += 100; });
  started.get_future().wait();
  under_way.withdraw();
  waiting = {};
  go.set_value();
  ASSERT_TRUE(run_until([&] { return answers != 0; }));
  EXPECT_EQ(answers, 100);
  EXPECT_EQ(lookups, 2);  // "two" was never looked up
}

TEST_F(ResolverTest, LoopMayGoWhileALookupIsUnderWay) {
  std::promise<void> started;
  std::promise<void> go;
  std::promise<void> done;
  {
    Resolver resolver([&](const std::string&, std::uint16_t) -> Resolver::Result {
      started.set_value();
      go.get_future().wait();
      done.set_value();
      return std::unexpected("no");
    });
    {
      const auto question = resolver.ask(*loop_, "slow", 1, [](Resolver::Result) { FAIL(); });
      started.get_future().wait();
    }
    loop_.reset();
  }
  // The resolver did not wait for the lookup.
  go.set_value();
  done.get_future().wait();
}

}  // namespace
}  // namespace fanfare::session
