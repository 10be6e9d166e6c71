#include "net/inherited_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "net/socket.h"

namespace fanfare::net {
namespace {

class InheritedSocketsTest : public testing::Test {
 protected:
  // Creates listening sockets on `count` consecutive descriptors, as a service manager does.
  void listen_on_row(int count) {
    first_ = ::fcntl(socket_.get(), F_DUPFD, 500);
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(::dup2(socket_.get(), first_ + i), first_ + i);
      row_.emplace_back(first_ + i);
    }
  }
  auto read(const char* count, const char* names = nullptr) {
    return inherited_sockets({.pid = pid_.c_str(), .count = count, .names = names, .first_fd = first_});
  }

  const std::string pid_ = std::to_string(::getpid());
  Descriptor socket_ = std::move(*listen_on(*Address::parse("127.0.0.1", 0)));
  std::vector<Descriptor> row_;
  int first_ = 3;
};

TEST_F(InheritedSocketsTest, NamesAreInOrderAndMayBeMissing) {
  listen_on_row(3);
  const auto named = read("3", "http:metrics");
  ASSERT_TRUE(named.has_value()) << named.error();
  ASSERT_EQ(named->size(), 3U);
  EXPECT_EQ((*named)[0].name, "http");
  EXPECT_EQ((*named)[1].name, "metrics");
  EXPECT_EQ((*named)[1].fd, first_ + 1);
  EXPECT_EQ((*named)[2].name, "");
  EXPECT_EQ(read("1")->size(), 1U);
}

TEST_F(InheritedSocketsTest, AreNotPassedOnToChildren) {
  listen_on_row(1);
  ASSERT_TRUE(read("1").has_value());
  EXPECT_EQ(::fcntl(first_, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(InheritedSocketsTest, WithoutVariablesOrForSomebodyElseThereAreNone) {
  EXPECT_TRUE(inherited_sockets(InheritedVariables{})->empty());
  EXPECT_TRUE(inherited_sockets({.pid = "1", .count = "1"})->empty());
  EXPECT_TRUE(read("0")->empty());
}

TEST_F(InheritedSocketsTest, WhatIsWrongIsSaid) {
  listen_on_row(1);
  EXPECT_NE(read("many").error().find("\"many\""), std::string::npos);
  EXPECT_FALSE(read("-1").has_value());
  EXPECT_FALSE(read("1025").has_value());
  row_.clear();
  Descriptor file(::open("/dev/null", O_RDONLY));
  ASSERT_EQ(::dup2(file.get(), first_), first_);
  row_.emplace_back(first_);
  EXPECT_NE(read("1").error().find("no listening stream socket"), std::string::npos);
}

}  // namespace
}  // namespace fanfare::net
