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
    socket_ = *net::listen_on(*net::Address::unix_path(path_), {.unix_mode = 0640});
    file_ = *session::UnixFile::at(path_);
  }
  ~SocketRightsTest() override { std::filesystem::remove(path_); }
  struct stat now() const {
    struct stat made{};
    EXPECT_EQ(::lstat(path_.c_str(), &made), 0);
    return made;
  }
  unsigned mode() const { return now().st_mode & 0777U; }

  const std::string path_ =
      std::filesystem::temp_directory_path() / ("fanfare-rights-" + std::to_string(::getpid()));
  net::Descriptor socket_;
  session::UnixFile file_;
};

TEST_F(SocketRightsTest, AreGivenBackUnlessTheyAreKept) {
  {
    const auto change = SocketRights::change(file_, "", 0600);
    ASSERT_TRUE(change);
    EXPECT_EQ(mode(), 0600U);
  }
  EXPECT_EQ(mode(), 0640U);
  {
    auto change = SocketRights::change(file_, "", 0600);
    ASSERT_TRUE(change);
    SocketRights moved = *std::move(change);
    moved.keep();
  }
  EXPECT_EQ(mode(), 0600U);
  EXPECT_TRUE(SocketRights::change(file_, "", std::nullopt));
  EXPECT_EQ(mode(), 0600U);
}

TEST_F(SocketRightsTest, AGroupAndBackToThatOfTheProcess) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give a file to any group";
  {
    const auto change = SocketRights::change(file_, "daemon", 0660);
    ASSERT_TRUE(change) << change.error().message;
    EXPECT_NE(now().st_gid, ::getegid());
    EXPECT_EQ(mode(), 0660U);
  }
  EXPECT_EQ(now().st_gid, ::getegid());
  EXPECT_EQ(mode(), 0640U);
}

// The path belongs to whoever may write in its directory.
TEST_F(SocketRightsTest, OfAnotherFileAtThePathStay) {
  const std::string other = path_ + ".other";
  std::ofstream(other) << "";
  ::chmod(other.c_str(), 0600);
  const auto mode_of_other = [&] {
    struct stat made{};
    EXPECT_EQ(::stat(other.c_str(), &made), 0);
    return made.st_mode & 0777U;
  };
  const std::string expected =
      "cannot give " + path_ +
      " to the group of the process: another file is at this path, and not the socket "
      "that was bound there";
  {
    auto undone = SocketRights::change(file_, "", 0666);
    ASSERT_TRUE(undone);
    std::filesystem::remove(path_);
    std::filesystem::create_symlink(other, path_);
    const auto change = SocketRights::change(file_, "", 0660);
    ASSERT_FALSE(change);
    EXPECT_EQ(change.error().message, expected);
  }
  EXPECT_EQ(mode_of_other(), 0600U) << "neither changed nor given back";
  std::filesystem::rename(other, path_);
  const auto change = SocketRights::change(file_, "", 0660);
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().message, expected);
  EXPECT_EQ(mode(), 0600U);
}

TEST_F(SocketRightsTest, WhatCannotBeDoneIsAnError) {
  const auto unknown = SocketRights::change(file_, "no-such-group", 0660);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message,
            "cannot give " + path_ + " to group no-such-group: there is no such group");
  EXPECT_EQ(mode(), 0640U);
  const auto gone = SocketRights::change({.path = "/no/such/file"}, "", 0600);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().message,
            "cannot give /no/such/file to the group of the process: No such file or directory");
}

}  // namespace
}  // namespace fanfare::admin
