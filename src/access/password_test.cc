#include "access/password.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "access/bitcoin_options.h"
#include "access/credentials.h"
#include "access/secret_file.h"

namespace fanfare::access {
namespace {

// By share/rpcauth of Bitcoin Core: HMAC-SHA256 keyed with the salt's text.
constexpr std::string_view kAlice =
    "alice:f7efda5c189b999524f151318c0c86$d5b51b3beffbc02b724e5d095828e0bc8b2456e9ac8757ae3211a5d9b16a22ae";
constexpr std::string_view kAlicePassword = "cT/\xcf\x84\xc3\xaf";

class TemporaryFile {
 public:
  TemporaryFile()
      : path_(std::filesystem::temp_directory_path() / ("fanfare-access-" + std::to_string(getpid()))) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }
  void write(std::string_view text) const { std::ofstream(path_, std::ios::binary) << text; }
  std::string read() const {
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

 private:
  std::filesystem::path path_;
};

TEST(Rpcauth, AcceptsThePasswordOfBitcoinCoresOwnTest) {
  // test/functional/rpc_users.py has this user and password.
  constexpr std::string_view kUser =
      "rt:93648e835a54c573682c2eb19f882535$7681e9c5b74bdd85e78166031d2058e1069b3ed7ed967c93fc63abba06f31144";
  const auto hash = parse_rpcauth(kUser);
  ASSERT_TRUE(hash);
  EXPECT_EQ(hash->user, "rt");
  EXPECT_TRUE(has_password(*hash, "cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM="));
  EXPECT_FALSE(has_password(*hash, "cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM"));
  EXPECT_FALSE(has_password(*hash, ""));
  EXPECT_EQ(rpcauth_text(*hash), kUser);
}

TEST(Rpcauth, NamesWhatIsWrongAndNotTheText) {
  for (const std::string_view bad : {"", "alice", ":salt$00", "alice:$00", "alice:salt", "alice:salt$",
                                     "alice:salt$zz", "alice:salt$00"}) {
    const auto hash = parse_rpcauth(bad);
    ASSERT_FALSE(hash) << bad;
    EXPECT_FALSE(hash.error().contains("alice")) << hash.error();
  }
  EXPECT_TRUE(parse_rpcauth(kAlice));
  EXPECT_FALSE(has_password(*parse_rpcauth(kAlice), kAlicePassword.substr(1)));
}

TEST(Rpcauth, ANewHashIsSalted) {
  SeededRandom random(1);
  const PasswordHash one = hash_password("a", "p", random);
  const PasswordHash other = hash_password("a", "p", random);
  EXPECT_NE(one.salt, other.salt);
  EXPECT_NE(one.hmac, other.hmac);
  EXPECT_TRUE(has_password(one, "p"));
  EXPECT_EQ(parse_rpcauth(rpcauth_text(one)), one);
}

TEST(CookieFile, IsPrivateAndRemovedAtTheEnd) {
  SeededRandom random(1);
  const TemporaryFile file;
  {
    const auto cookie = CookieFile::create(file.path(), random);
    ASSERT_TRUE(cookie) << cookie.error();
    struct stat status{};
    ASSERT_EQ(stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    const std::string text = file.read();
    ASSERT_TRUE(text.starts_with("__cookie__:"));
    EXPECT_TRUE(has_password(cookie->hash(), text.substr(11)));
    EXPECT_EQ(text.size(), 11U + 64U);
  }
  EXPECT_FALSE(std::filesystem::exists(file.path()));
}

TEST(CookieFile, IsWrittenOnlyWhenItIsPublished) {
  SeededRandom random(1);
  const TemporaryFile file;
  const auto first = CookieFile::create(file.path(), random);
  ASSERT_TRUE(first);
  const std::string text = file.read();
  {
    const auto given_up = CookieFile::prepare(file.path(), random);
    ASSERT_TRUE(given_up) << given_up.error();
    EXPECT_EQ(file.read(), text);
  }
  EXPECT_EQ(file.read(), text);
  auto next = CookieFile::prepare(file.path(), random);
  ASSERT_TRUE(next);
  ASSERT_TRUE(next->publish());
  EXPECT_TRUE(has_password(next->hash(), file.read().substr(11)));
  EXPECT_FALSE(std::filesystem::exists(file.path() + ".tmp"));
  EXPECT_FALSE(CookieFile::prepare("/nonexistent/cookie", random));
}

TEST(CookieFile, OfAnotherProcessStays) {
  SeededRandom random(1);
  const TemporaryFile file;
  {
    const auto cookie = CookieFile::create(file.path(), random);
    ASSERT_TRUE(cookie);
    file.write("__cookie__:of-another-process");
  }
  EXPECT_EQ(file.read(), "__cookie__:of-another-process");
}

TEST(CookieFile, ReplacesOneThatWasLeftAndReportsAFolderThatIsMissing) {
  SeededRandom random(1);
  const TemporaryFile file;
  file.write("__cookie__:left");
  EXPECT_TRUE(CookieFile::create(file.path(), random));
  EXPECT_FALSE(CookieFile::create("/nonexistent/cookie", random));
}

// Whatever else is at the path, or beside it where the file is written first, belongs to somebody.
TEST(CookieFile, WhatIsNotACookieFileStays) {
  SeededRandom random(1);
  const TemporaryFile file;
  const std::string beside = file.path() + ".tmp";
  const auto problem = [&] {
    const auto created = CookieFile::create(file.path(), random);
    const auto prepared = CookieFile::prepare(file.path(), random);
    EXPECT_FALSE(created || prepared);
    if (!created && !prepared) {
      EXPECT_EQ(created.error(), prepared.error());
    }
    return created ? std::string() : created.error();
  };
  const std::string expected = ", expected a cookie file or a name that does not exist yet";
  for (const std::string& content :
       {std::string("precious"), std::string("__cookie__"), std::string("__cookie__:a\nmore"),
        "__cookie__:" + std::string(kSecretBytesMax, 'x')}) {
    file.write(content);
    EXPECT_EQ(problem(), file.path() + ": it is not a cookie file" + expected);
    EXPECT_EQ(file.read(), content);
  }
  std::filesystem::rename(file.path(), beside);
  EXPECT_EQ(problem(), beside + ": it is not a cookie file" + expected);
  std::ofstream(beside) << "__cookie__:left";
  std::filesystem::create_symlink(beside, file.path());
  EXPECT_EQ(problem(), file.path() + ": it is a symbolic link" + expected);
  EXPECT_TRUE(std::filesystem::is_symlink(file.path()));
  std::filesystem::remove(file.path());
  ASSERT_EQ(mkfifo(file.path().c_str(), 0600), 0);
  EXPECT_EQ(problem(), file.path() + ": it is a pipe" + expected);
  std::filesystem::remove(file.path());
  std::filesystem::create_directory(file.path());
  EXPECT_EQ(problem(), file.path() + ": it is a directory" + expected);
  std::filesystem::remove(file.path());
  // An empty one loses nothing, and what was left beside it was of an earlier process.
  file.write("");
  EXPECT_TRUE(CookieFile::create(file.path(), random));
  EXPECT_FALSE(std::filesystem::exists(beside));
}

// The same content, and not the same file.
TEST(CookieFile, ACopyInItsPlaceStays) {
  SeededRandom random(1);
  const TemporaryFile file;
  {
    const auto cookie = CookieFile::create(file.path(), random);
    ASSERT_TRUE(cookie);
    std::filesystem::copy_file(file.path(), file.path() + ".copy");
    std::filesystem::rename(file.path() + ".copy", file.path());
  }
  EXPECT_TRUE(std::filesystem::exists(file.path()));
}

// Nobody's file is replaced when the path is taken again.
TEST(CookieFile, IsNotTakenBackFromWhatIsNoCookieFile) {
  SeededRandom random(1);
  const TemporaryFile file;
  auto cookie = CookieFile::create(file.path(), random);
  ASSERT_TRUE(cookie);
  file.write("precious");
  EXPECT_FALSE(cookie->take_back());
  EXPECT_EQ(file.read(), "precious");
  file.write("__cookie__:of-another-process");
  EXPECT_TRUE(cookie->take_back());
  EXPECT_TRUE(has_password(cookie->hash(), file.read().substr(11)));
}

TEST(CookieFile, ASecondUserIsNoticedAndTheFirstOneWritesItsOwnAgain) {
  SeededRandom random(1);
  const TemporaryFile file;
  auto first = CookieFile::create(file.path(), random);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->was_in_use());
  const std::string text = file.read();
  EXPECT_FALSE(first->restore_if_gone());
  {
    auto second = CookieFile::create(file.path(), random);
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->was_in_use());
    EXPECT_NE(file.read(), text);
    EXPECT_FALSE(first->restore_if_gone());
  }
  EXPECT_TRUE(first->restore_if_gone());
  EXPECT_EQ(file.read(), text);
  struct stat status{};
  ASSERT_EQ(stat(file.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  // It is in use again.
  const auto third = CookieFile::create(file.path(), random);
  ASSERT_TRUE(third);
  EXPECT_TRUE(third->was_in_use());
}

TEST(CookieFile, OneThatWasLeftIsInNobodysUse) {
  SeededRandom random(1);
  const TemporaryFile file;
  file.write("__cookie__:left");
  const auto cookie = CookieFile::create(file.path(), random);
  ASSERT_TRUE(cookie);
  EXPECT_FALSE(cookie->was_in_use());
}

TEST(SecretFile, IsOneLine) {
  const TemporaryFile file;
  file.write("secret\n");
  EXPECT_EQ(read_secret_file(file.path()), "secret");
  file.write("secret\r\n");
  EXPECT_EQ(read_secret_file(file.path()), "secret");
  file.write(std::string(kSecretBytesMax, 's') + "\r\n");
  EXPECT_TRUE(read_secret_file(file.path()));
  for (const std::string& bad : {std::string(), std::string("\n"), std::string("a\nb"),
                                 std::string("a\0b", 3), std::string(kSecretBytesMax + 1, 's')}) {
    file.write(bad);
    const auto text = read_secret_file(file.path());
    ASSERT_FALSE(text);
    EXPECT_FALSE(text.error().contains("a\nb"));
  }
  EXPECT_FALSE(read_secret_file("/nonexistent/secret"));
  // Neither waits for a writer nor for a terminal.
  EXPECT_EQ(read_secret_file("/dev/zero").error(), "/dev/zero: this is not a regular file");
  EXPECT_FALSE(read_secret_file("/tmp"));
  file.write(std::string(100, 'a'));
  EXPECT_TRUE(read_small_file(file.path(), 100));
  EXPECT_FALSE(read_small_file(file.path(), 99));
}

AccessPlan plan_of(const BitcoinOptions& options) {
  SeededRandom random(1);
  auto plan = plan_from(options, random);
  EXPECT_TRUE(plan) << plan.error();
  return plan ? *plan : AccessPlan{};
}

bool may(const AccessPlan& plan, std::size_t user, std::string_view method) {
  return plan.roles[user].role.methods.allows(method);
}

TEST(BitcoinOptions, AUserMayCallEverythingWithoutWhitelists) {
  const AccessPlan plan = plan_of({.rpcuser = "u", .rpcpassword = "p"});
  ASSERT_EQ(plan.users.size(), 1U);
  EXPECT_TRUE(has_password(plan.users[0].password, "p"));
  EXPECT_TRUE(may(plan, 0, "stop"));
  EXPECT_TRUE(is_in(plan.allowed_addresses, IpAddress::parse("127.0.0.1")));
  EXPECT_FALSE(is_in(plan.allowed_addresses, IpAddress::parse("192.0.2.7")));
}

TEST(BitcoinOptions, AWhitelistNarrowsItsUserAndOthersHaveNone) {
  const AccessPlan plan = plan_of({.rpcuser = "u",
                                   .rpcpassword = "p",
                                   .rpcauth = {std::string(kAlice)},
                                   .rpcwhitelist = {"alice:getblock,getpeerinfo", "alice:getblock, stop"},
                                   .rpcallowip = {"192.0.2.0/24"}});
  ASSERT_EQ(plan.users.size(), 2U);
  EXPECT_FALSE(may(plan, 0, "getblock"));
  EXPECT_TRUE(may(plan, 1, "getblock"));
  EXPECT_FALSE(may(plan, 1, "getpeerinfo"));
  EXPECT_FALSE(may(plan, 1, "stop"));
  EXPECT_TRUE(is_in(plan.allowed_addresses, IpAddress::parse("192.0.2.7")));
}

TEST(BitcoinOptions, TheDefaultOfOthersCanBeChosen) {
  const AccessPlan open = plan_of(
      {.rpcuser = "u", .rpcpassword = "p", .rpcwhitelist = {"alice:stop"}, .rpcwhitelistdefault = false});
  EXPECT_TRUE(may(open, 0, "getblock"));
  const AccessPlan closed = plan_of({.rpcuser = "u", .rpcpassword = "p", .rpcwhitelistdefault = true});
  EXPECT_FALSE(may(closed, 0, "getblock"));
  const AccessPlan nothing = plan_of({.rpcuser = "u", .rpcpassword = "p", .rpcwhitelist = {"u:"}});
  EXPECT_FALSE(may(nothing, 0, "getblock"));
  const AccessPlan star = plan_of({.rpcuser = "u", .rpcpassword = "p", .rpcwhitelist = {"u:*,get*,stop"}});
  EXPECT_FALSE(may(star, 0, "getblock"));
  EXPECT_TRUE(may(star, 0, "stop"));
}

TEST(BitcoinOptions, ErrorsNameTheOption) {
  SeededRandom random(1);
  const auto error = [&](const BitcoinOptions& options) {
    const auto plan = plan_from(options, random);
    return plan ? std::string() : plan.error();
  };
  EXPECT_EQ(error({.rpcuser = "u"}), "rpcuser and rpcpassword must be given together");
  EXPECT_EQ(error({.rpcauth = {"alice:x"}}), "rpcauth has no salt before a $");
  EXPECT_EQ(error({.rpcallowip = {"10.0.0.0/99"}}), "rpcallowip is not an address or a range");
  EXPECT_EQ(error({.rpcwhitelist = {":x"}}), "rpcwhitelist has no user");
  // The old and the new password of one user.
  EXPECT_EQ(error({.rpcuser = "alice", .rpcpassword = "p", .rpcauth = {std::string(kAlice)}}), "");
}

}  // namespace
}  // namespace fanfare::access
