#include "version_text.h"

#include <gmock/gmock.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <zlib.h>

#include <sstream>
#include <vector>

namespace fanfare::app {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(VersionText, ALineForEachPart) {
  const auto lines = lines_of(version_text());
  ASSERT_EQ(lines.size(), 11U);
  EXPECT_EQ(lines[0], "fanfare " FANFARE_VERSION);
  // A tree that was unpacked without git and without the archive's file does not know its commit.
  EXPECT_THAT(
      lines[1],
      MatchesRegex("commit     (unknown|[0-9a-f]{40} \\([0-9]{4}-[0-9]{2}-[0-9]{2}\\)( with changes)?)"));
  EXPECT_THAT(lines[2], MatchesRegex("compiler   (GNU|Clang) [0-9.]+, .*"));
  EXPECT_THAT(lines[3], MatchesRegex("loops      .*epoll.*"));
  EXPECT_THAT(lines[4], MatchesRegex("libraries  OpenSSL .*"));
}

TEST(VersionText, NamesTheLibrariesThatRun) {
  const std::string text = version_text();
  EXPECT_THAT(text, HasSubstr(std::string("OpenSSL ") + OpenSSL_version(OPENSSL_VERSION_STRING)));
  EXPECT_THAT(text, HasSubstr(std::string("zlib ") + zlibVersion()));
  EXPECT_THAT(text, HasSubstr(std::string("SQLite ") + sqlite3_libversion()));
  EXPECT_THAT(text, testing::ContainsRegex("libdeflate [0-9.]+\n *liburing [0-9.]+\n"));
  EXPECT_THAT(text, testing::ContainsRegex("curl [0-9.]+.*\n *llhttp [0-9.]+$"));
}

}  // namespace
}  // namespace fanfare::app
