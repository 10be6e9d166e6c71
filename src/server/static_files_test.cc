// Files as a client receives them, over a real connection on both loops.

#include "server/static_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "server/router.h"
#include "session/loop_server_for_tests.h"

namespace fanfare::server {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class StaticFilesTest : public session::LoopServerTest {
 protected:
  StaticFilesTest() {
    std::string name = testing::TempDir() + "fanfare-files-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    put("index.html", "<p>home</p>");
    put("main.js", "let a = 1;");
    put("app/index.html", "<p>app</p>");
    put("assets/x-1f.css", "p {}");
  }
  ~StaticFilesTest() override {
    server_.reset();
    std::filesystem::remove_all(root_);
  }

  void put(const std::string& path, std::string_view text) const {
    const std::filesystem::path file = root_ / "site" / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  FileOptions options() const { return {.directory = (root_ / "site").string()}; }

  std::string ask(std::string_view line, std::string_view headers = "", FileOptions options = {}) {
    if (options.directory.empty()) options = this->options();
    auto files = StaticFiles::open(std::move(options));
    EXPECT_TRUE(files) << files.error();
    Router router(std::make_shared<LoopContext>(*loop_, 0));
    router.mount(*PathPattern::parse("/files/{path...}"), *files);
    start();
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    server_->serve(net::Descriptor(ends[0]), router);
    const net::Descriptor peer(ends[1]);
    write(peer, std::string(line) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + std::string(headers) +
                    "\r\n");
    const std::string answer = read_until(peer, "EOF");
    server_.reset();
    return answer.substr(0, answer.size() - 3);
  }
  static std::string field(const std::string& answer, const std::string& name) {
    const std::size_t at = answer.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const std::size_t from = at + name.size() + 4;
    return answer.substr(from, answer.find("\r\n", from) - from);
  }

  std::filesystem::path root_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, StaticFilesTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& kind) {
                           return kind.param == net::LoopKind::epoll ? "epoll" : "uring";
                         });

TEST_P(StaticFilesTest, AFileWithItsTypeAndLength) {
  const std::string said = ask("GET /files/main.js");
  EXPECT_THAT(said, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(field(said, "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(field(said, "Content-Length"), "10");
  EXPECT_EQ(field(said, "Cache-Control"), "no-cache");
  EXPECT_EQ(field(said, "X-Content-Type-Options"), "nosniff");
  EXPECT_THAT(said, EndsWith("\r\n\r\nlet a = 1;"));
  const std::string head = ask("HEAD /files/main.js");
  EXPECT_EQ(field(head, "Content-Length"), "10");
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));
  EXPECT_THAT(ask("POST /files/main.js"), StartsWith("HTTP/1.1 405 "));
}

TEST_P(StaticFilesTest, DirectoriesHaveAnIndex) {
  EXPECT_THAT(ask("GET /files"), EndsWith("<p>home</p>"));
  EXPECT_THAT(ask("GET /files/"), EndsWith("<p>home</p>"));
  EXPECT_THAT(ask("GET /files/app/"), EndsWith("<p>app</p>"));
  const std::string moved = ask("GET /files/app?a=1");
  EXPECT_THAT(moved, StartsWith("HTTP/1.1 308 "));
  EXPECT_EQ(field(moved, "Location"), "/files/app/?a=1");
  EXPECT_THAT(ask("GET /files/assets/"), StartsWith("HTTP/1.1 404 "));
  FileOptions none = options();
  none.index = "";
  EXPECT_THAT(ask("GET /files/", "", none), StartsWith("HTTP/1.1 404 "));
}

TEST_P(StaticFilesTest, NothingButFilesBeneathTheDirectory) {
  std::ofstream(root_ / "secret") << "secret";
  put(".hidden", "secret");
  put("with space.txt", "found");
  std::filesystem::create_symlink(root_ / "secret", root_ / "site" / "link");
  std::filesystem::create_symlink("/etc/passwd", root_ / "site" / "passwd");
  std::filesystem::create_symlink("main.js", root_ / "site" / "inside.js");
  ::mkfifo((root_ / "site" / "pipe").c_str(), 0600);
  for (const std::string path :
       {"../secret", "%2e%2e/secret", "..%2fsecret", "app/../../secret", "app/%2e%2e/%2e%2e/secret",
        "//secret", "%2fetc%2fpasswd", ".hidden", "link", "passwd", "pipe", "app/.", "./main.js", "main.js/",
        "..%5csecret", "nothing"}) {
    const std::string said = ask("GET /files/" + path);
    EXPECT_THAT(said, StartsWith("HTTP/1.1 404 ")) << path;
    EXPECT_THAT(said, Not(HasSubstr("secret"))) << path;
  }
  EXPECT_THAT(ask("GET /files/with%20space.txt"), EndsWith("found"));
  EXPECT_THAT(ask("GET /files/inside.js"), EndsWith("let a = 1;"));
  EXPECT_THAT(ask("GET /files/" + std::string(5000, 'a')), StartsWith("HTTP/1.1 404 "));
}

TEST_P(StaticFilesTest, WhatAClientHasIsNotSentAgain_RFC9110_13_1) {
  const std::string first = ask("GET /files/main.js");
  const std::string tag = field(first, "ETag");
  const std::string date = field(first, "Last-Modified");
  for (const std::string& condition : {"If-None-Match: " + tag, "If-None-Match: \"other\", W/" + tag,
                                       std::string("If-None-Match: *"), "If-Modified-Since: " + date}) {
    const std::string said = ask("GET /files/main.js", condition + "\r\n");
    EXPECT_THAT(said, StartsWith("HTTP/1.1 304 ")) << condition;
    EXPECT_EQ(field(said, "ETag"), tag);
    EXPECT_THAT(said, EndsWith("\r\n\r\n"));
  }
  EXPECT_THAT(ask("GET /files/main.js", "If-None-Match: \"other\"\r\nIf-Modified-Since: " + date + "\r\n"),
              StartsWith("HTTP/1.1 200 "));
  put("main.js", "let a = 23;");
  EXPECT_THAT(ask("GET /files/main.js", "If-None-Match: " + tag + "\r\n"), EndsWith("let a = 23;"));
}

TEST_P(StaticFilesTest, APartOfAFile_RFC9110_14) {
  const std::string part = ask("GET /files/main.js", "Range: bytes=4-6\r\n");
  EXPECT_THAT(part, StartsWith("HTTP/1.1 206 "));
  EXPECT_EQ(field(part, "Content-Range"), "bytes 4-6/10");
  EXPECT_THAT(part, EndsWith("\r\n\r\na ="));
  EXPECT_THAT(ask("GET /files/main.js", "Range: bytes=-3\r\n"), EndsWith("\r\n\r\n 1;"));
  EXPECT_THAT(ask("GET /files/main.js", "Range: bytes=8-\r\n"), EndsWith("\r\n\r\n1;"));
  const std::string outside = ask("GET /files/main.js", "Range: bytes=10-\r\n");
  EXPECT_THAT(outside, StartsWith("HTTP/1.1 416 "));
  EXPECT_EQ(field(outside, "Content-Range"), "bytes */10");
  EXPECT_THAT(ask("GET /files/main.js", "Range: bytes=0-1,4-5\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("GET /files/main.js", "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_P(StaticFilesTest, AnEncodedTwinIsPreferred_RFC9110_12_5_3) {
  put("main.js.gz", "gzipped");
  const std::string plain = ask("GET /files/main.js");
  EXPECT_THAT(plain, EndsWith("let a = 1;"));
  EXPECT_EQ(field(plain, "Vary"), "Accept-Encoding");
  const std::string packed = ask("GET /files/main.js", "Accept-Encoding: deflate, gzip;q=0.8\r\n");
  EXPECT_THAT(packed, EndsWith("gzipped"));
  EXPECT_EQ(field(packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(field(packed, "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(field(packed, "Vary"), "Accept-Encoding");
  EXPECT_NE(field(packed, "ETag"), field(plain, "ETag"));
  EXPECT_THAT(ask("GET /files/main.js", "Accept-Encoding: gzip;q=0\r\n"), EndsWith("let a = 1;"));
  put("main.js.br", "brotli");
  EXPECT_THAT(ask("GET /files/main.js", "Accept-Encoding: gzip, br\r\n"), EndsWith("brotli"));
}

TEST_P(StaticFilesTest, NamesThatChangeWithTheirContentAreKept) {
  FileOptions options = this->options();
  options.immutable_directory = "assets";
  options.fallback = "index.html";
  options.headers = {{.name = "Content-Security-Policy", .value = "default-src 'self'"}};
  const std::string asset = ask("GET /files/assets/x-1f.css", "", options);
  EXPECT_EQ(field(asset, "Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(field(asset, "Content-Security-Policy"), "default-src 'self'");
  // The page's own routes get the page; a missing file does not.
  const std::string page = ask("GET /files/blocks/17", "", options);
  EXPECT_THAT(page, EndsWith("<p>home</p>"));
  EXPECT_EQ(field(page, "Cache-Control"), "no-cache");
  EXPECT_THAT(ask("GET /files/assets/gone.css", "", options), StartsWith("HTTP/1.1 404 "));
}

TEST_P(StaticFilesTest, ALargeFileComesWhole) {
  std::string large;
  for (int i = 0; large.size() < 3'000'000; ++i) large += std::to_string(i) + " ";
  put("large.bin", large);
  const std::string said = ask("GET /files/large.bin");
  EXPECT_EQ(field(said, "Content-Type"), "application/octet-stream");
  EXPECT_TRUE(said.ends_with("\r\n\r\n" + large));
}

TEST(StaticFiles, SaysWhichDirectoryCannotBeOpened) {
  const auto files = StaticFiles::open({.directory = "/no/such/directory"});
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error(), "directory \"/no/such/directory\": No such file or directory");
}

TEST(StaticFiles, RangesAgainstASize_RFC9110_14_1_2) {
  const auto read = [](std::string_view header, std::uint64_t size) {
    ByteRange range;
    switch (read_range(header, size, range)) {
      case RangeOutcome::whole:
        return std::string("whole");
      case RangeOutcome::unsatisfiable:
        return std::string("unsatisfiable");
      case RangeOutcome::part:
        break;
    }
    return std::to_string(range.first) + "+" + std::to_string(range.length);
  };
  EXPECT_EQ(read("bytes=0-0", 10), "0+1");
  EXPECT_EQ(read("bytes=0-99999999999", 10), "0+10");
  EXPECT_EQ(read("bytes=-99", 10), "0+10");
  EXPECT_EQ(read("bytes=-0", 10), "unsatisfiable");
  EXPECT_EQ(read("bytes=0-", 0), "unsatisfiable");
  for (const char* ignored : {"bytes=", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=1", "lines=0-1",
                              "bytes=--1", "bytes=0-1,3-4", "bytes=99999999999999999999-", ""}) {
    EXPECT_EQ(read(ignored, 10), "whole") << ignored;
  }
}

}  // namespace
}  // namespace fanfare::server
