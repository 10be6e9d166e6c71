#include "eth/listeners.h"

#include <gtest/gtest.h>

namespace fanfare::eth {
namespace {

using namespace std::chrono_literals;

constexpr Instant kStart{1h};

std::vector<std::string> texts(Listeners& listeners) {
  std::vector<std::string> texts;
  for (const Listening& one : listeners.take_results())
    texts.push_back(std::to_string(one.listener) + " " + one.refusal);
  return texts;
}

TEST(Listeners, AllOfThemGetTheirResultOnceAndInOrder) {
  Listeners listeners;
  EXPECT_EQ(listeners.add(kStart + 1s), 1U);
  EXPECT_EQ(listeners.add(kStart + 1s), 2U);
  EXPECT_TRUE(listeners.take_results().empty());
  listeners.accept();
  listeners.refuse("too late");
  EXPECT_EQ(texts(listeners), (std::vector<std::string>{"1 ", "2 "}));
  EXPECT_TRUE(listeners.take_results().empty());
  EXPECT_EQ(listeners.add(kStart + 2s), 3U);
  listeners.refuse("the node is gone");
  EXPECT_EQ(texts(listeners), std::vector<std::string>{"3 the node is gone"});
}

TEST(Listeners, AreRefusedAtTheirDeadlineAndNotBefore) {
  Listeners listeners;
  EXPECT_FALSE(listeners.next_deadline());
  listeners.add(kStart + 1s);
  listeners.add(kStart + 2s);
  EXPECT_EQ(listeners.next_deadline(), kStart + 1s);
  listeners.refuse_late(kStart + 1s - 1ns, "");
  EXPECT_TRUE(listeners.take_results().empty());
  listeners.refuse_late(kStart + 1s, "");
  EXPECT_EQ(texts(listeners), std::vector<std::string>{"1 no answer yet"});
  EXPECT_EQ(listeners.next_deadline(), kStart + 2s);
}

}  // namespace
}  // namespace fanfare::eth
