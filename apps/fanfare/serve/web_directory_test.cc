#include "serve/web_directory.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <array>
#include <fstream>

namespace fanfare::app {
namespace {

namespace fs = std::filesystem;

class WebDirectory : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fanfare-web-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path add_page(const fs::path& prefix) const {
    const fs::path directory = root_ / prefix / "share/fanfare/web";
    fs::create_directories(directory);
    std::ofstream(directory / "index.html") << "page";
    return directory;
  }

  fs::path root_;
};

TEST_F(WebDirectory, IsFoundUnderThePrefixOfAnInstalledProgram) {
  const fs::path page = add_page("usr");
  EXPECT_EQ(web_directory_beside(root_ / "usr/bin/fanfare"), page.string());
}

TEST_F(WebDirectory, IsFoundInTheBuildTree) {
  const fs::path page = add_page("build/release");
  EXPECT_EQ(web_directory_beside(root_ / "build/release/apps/fanfare/fanfare"), page.string());
}

TEST_F(WebDirectory, WithoutAnIndexIsNone) {
  const fs::path page = add_page("usr");
  fs::remove(page / "index.html");
  EXPECT_EQ(web_directory_beside(root_ / "usr/bin/fanfare"), std::nullopt);
  fs::create_directory(page / "index.html");
  EXPECT_EQ(web_directory_beside(root_ / "usr/bin/fanfare"), std::nullopt);
  EXPECT_FALSE(is_web_directory(page));
}

}  // namespace
}  // namespace fanfare::app
