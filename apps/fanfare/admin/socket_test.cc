// Which server the commands ask.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "admin/client.h"

namespace fanfare::app {
namespace {

TEST(AdminSocket, ThatOfTheUserComesFirst) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  const std::string there = folder / "fanfare-socket-test-there";
  const std::string also_there = folder / "fanfare-socket-test-also-there";
  const std::string missing = folder / "fanfare-socket-test-missing";
  std::ofstream(there).put('x');
  std::ofstream(also_there).put('x');
  EXPECT_EQ(socket_to_ask(there, also_there), there);
  EXPECT_EQ(socket_to_ask(there, missing), there);
  EXPECT_EQ(socket_to_ask(missing, there), there);
  // The error then names the path that the documentation names first.
  EXPECT_EQ(socket_to_ask(missing, missing + "-too"), missing);
  std::filesystem::remove(there);
  std::filesystem::remove(also_there);
}

}  // namespace
}  // namespace fanfare::app
