// `fanfare check FILE --against OTHER`.

#include "check/against.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace fanfare::app {
namespace {

namespace fs = std::filesystem;

class CheckAgainst : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fanfare-against-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    new_ = folder_ / "new.yaml";
    old_ = folder_ / "old.yaml";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string text(const std::string& head, const std::string& timeout) {
    return head +
           "projects:\n  - id: main\n    networks:\n      - architecture: evm\n"
           "        evm: { chainId: 1 }\n    upstreams:\n      - id: a\n"
           "        endpoint: http://127.0.0.1:8545\n        timeout: " +
           timeout + "\n";
  }
  int check(const std::string& wanted, const std::string& running) {
    std::ofstream(new_) << wanted;
    std::ofstream(old_) << running;
    const auto no_variables = [](std::string_view) -> std::optional<std::string> { return std::nullopt; };
    return run_check_against(new_, old_, no_variables, out_, complaints_);
  }

  fs::path folder_;
  std::string new_;
  std::string old_;
  std::ostringstream out_;
  std::ostringstream complaints_;
};

TEST_F(CheckAgainst, ShowsWhatAReloadWouldChange) {
  EXPECT_EQ(check(text("", "5s"), text("", "10s")), 0);
  EXPECT_EQ(out_.str(), "~ upstream main/1/a timeout: 10s -> 5s\n");
}

TEST_F(CheckAgainst, WhatTheServerCouldNotStartWithIsAnError) {
  const std::string tls = "server:\n  tls: { certificateFile: /no/such.pem, keyFile: /no/such.key }\n";
  EXPECT_EQ(check(text(tls, "5s"), text("", "10s")), 2);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(complaints_.str(),
            new_ + ": server.tls: certificate file \"/no/such.pem\": No such file or directory\n");
}

TEST_F(CheckAgainst, TheDashboardIsCompared) {
  fs::create_directory(folder_ / "page");
  const std::string page = (folder_ / "page").string();
  const std::string web = "web: { enabled: true, directory: " + page + " }\n";
  EXPECT_EQ(check(text(web, "5s"), text("", "5s")), 2);
  EXPECT_EQ(complaints_.str(), new_ + ": web.directory has no index.html (\"" + page +
                                   "\"), expected the directory of the built page\n");
  std::ofstream(folder_ / "page" / "index.html") << "<!doctype html>";
  EXPECT_EQ(check(text(web, "5s"), text("", "5s")), 0);
  EXPECT_EQ(out_.str(),
            "~ listener 127.0.0.1:4000: what is served there (metrics, web, streams, canvas, admin)\n");
}

// A reload cannot bind it while the other one is open.
TEST_F(CheckAgainst, AnAddressThatTheRunningServerHasIsStatus2) {
  EXPECT_EQ(check(text("server: { httpHost: localhost }\n", "5s"), text("", "5s")), 2);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(complaints_.str(),
              testing::HasSubstr("server.httpPort: localhost:4000 cannot be bound, because "
                                 "the running server listens at 127.0.0.1:4000"));
}

TEST_F(CheckAgainst, AWarningIsShownAndIsNoError) {
  EXPECT_EQ(check(text("admin: { socket: /no/such/admin.sock }\n", "5s"), text("", "5s")), 0);
  EXPECT_THAT(complaints_.str(), testing::StartsWith(new_ + ": warning: admin.socket: "));
}

TEST_F(CheckAgainst, SaysThatNothingWouldChange) {
  EXPECT_EQ(check(text("", "5s"), text("", "5s")), 0);
  EXPECT_EQ(out_.str(), "nothing would change\n");
}

TEST_F(CheckAgainst, ARestartIsStatus1) {
  EXPECT_EQ(check(text("server: { threads: 4 }\n", "5s"), text("", "5s")), 1);
  EXPECT_EQ(out_.str(), "! server.threads: 0 -> 4 (needs a restart)\n");
}

TEST_F(CheckAgainst, AllErrorsOfBothFilesAreStatus2) {
  EXPECT_EQ(check(text("server: { threads: many, httpPort: 70000 }\n", "5"), text("logLevel: loud\n", "5s")),
            2);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(complaints_.str(), testing::HasSubstr("old.yaml:1:11: logLevel"));
  EXPECT_THAT(complaints_.str(), testing::HasSubstr("new.yaml:1:20: server.threads"));
  EXPECT_THAT(complaints_.str(), testing::HasSubstr("new.yaml:1:36: server.httpPort"));
  EXPECT_THAT(complaints_.str(), testing::HasSubstr("new.yaml:10:18: projects[0].upstreams[0].timeout"));
}

}  // namespace
}  // namespace fanfare::app
