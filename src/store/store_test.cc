// fanfare::Store::open(): which errors a program can tell apart.

#include "fanfare/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

namespace fanfare {
namespace {

using testing::HasSubstr;

class StoreTest : public testing::Test {
 protected:
  StoreTest() { std::filesystem::create_directories(folder_); }
  ~StoreTest() override { std::filesystem::remove_all(folder_); }

  static Error error_of(const std::string& path) {
    const auto opened = Store::open({.path = path});
    return opened ? Error{.message = "it was opened"} : opened.error();
  }
  void expect_system_error(const std::string& path, int code) {
    const Error error = error_of(path);
    EXPECT_EQ(error.kind, Error::Kind::system) << error.message;
    EXPECT_EQ(error.system_code, code) << error.message;
    EXPECT_THAT(error.message, HasSubstr("store: cannot "));
  }

  const std::string folder_ = testing::TempDir() + "store_" + std::to_string(getpid()) + "/";
};

TEST_F(StoreTest, AnErrorOfTheSystemHasItsCode) {
  expect_system_error(folder_ + "none/events", ENOENT);
  expect_system_error(folder_ + std::string(300, 'x'), ENAMETOOLONG);
  std::ofstream(folder_ + "file") << "text";
  expect_system_error(folder_ + "file/events", ENOTDIR);
  const auto first = Store::open({.path = folder_ + "events"});
  ASSERT_TRUE(first) << first.error().message;
  expect_system_error(folder_ + "events", EBUSY);
}

TEST_F(StoreTest, AFileOfAnotherProgramIsAWrongPath) {
  std::ofstream(folder_ + "notes")
      << "These are notes of somebody, and longer than the header of a database would be: 100 bytes.......";
  const Error error = error_of(folder_ + "notes");
  EXPECT_EQ(error.kind, Error::Kind::bad_option);
  EXPECT_EQ(error.system_code, 0);
  EXPECT_THAT(error.message, HasSubstr("is not a store of events, and is left alone"));
}

TEST_F(StoreTest, WrongOptionsAreNamed) {
  EXPECT_EQ(error_of("").message, "StoreOptions::path: the name of a file, not empty");
  EXPECT_EQ(error_of("").kind, Error::Kind::bad_option);
  const auto opened = Store::open({.path = folder_ + "events", .file_bytes_max = 1});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().message, "StoreOptions::file_bytes_max: 64 KiB or more");
}

}  // namespace
}  // namespace fanfare
