#include "admin/socket_rights.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fanfare::admin {
namespace {

class SocketRightsTest : public ::testing::Test {
 protected:
  SocketRightsTest() {
    std::ofstream(path_) << "";
    ::chmod(path_.c_str(), 0640);
  }
  ~SocketRightsTest() override { std::filesystem::remove(path_); }
  struct stat now() const {
    struct stat made{};
    EXPECT_EQ(::stat(path_.c_str(), &made), 0);
    return made;
  }
  unsigned mode() const { return now().st_mode & 0777U; }

  const std::string path_ =
      std::filesystem::temp_directory_path() / ("fanfare-rights-" + std::to_string(::getpid()));
};

TEST_F(SocketRightsTest, AreGivenBackUnlessTheyAreKept) {
  {
    const auto change = SocketRights::change(path_, "", 0600);
    ASSERT_TRUE(change);
    EXPECT_EQ(mode(), 0600U);
  }
  EXPECT_EQ(mode(), 0640U);
  {
    auto change = SocketRights::change(path_, "", 0600);
    ASSERT_TRUE(change);
    SocketRights moved = *std::move(change);
    moved.keep();
  }
  EXPECT_EQ(mode(), 0600U);
  EXPECT_TRUE(SocketRights::change(path_, "", std::nullopt));
  EXPECT_EQ(mode(), 0600U);
}

TEST_F(SocketRightsTest, AGroupAndBackToThatOfTheProcess) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give a file to any group";
  {
    const auto change = SocketRights::change(path_, "daemon", 0660);
    ASSERT_TRUE(change) << change.error().message;
    EXPECT_NE(now().st_gid, ::getegid());
    EXPECT_EQ(mode(), 0660U);
  }
  EXPECT_EQ(now().st_gid, ::getegid());
  EXPECT_EQ(mode(), 0640U);
}

TEST_F(SocketRightsTest, WhatCannotBeDoneIsAnError) {
  const auto unknown = SocketRights::change(path_, "no-such-group", 0660);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message,
            "cannot give " + path_ + " to group no-such-group: there is no such group");
  EXPECT_EQ(mode(), 0640U);
  const auto gone = SocketRights::change("/no/such/file", "", 0600);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().message,
            "cannot give /no/such/file to the group of the process: No such file or directory");
}

}  // namespace
}  // namespace fanfare::admin
