#include "gateway/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "net/socket.h"

namespace fanfare::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> texts_of(const ServePlan& plan) {
  std::vector<std::string> texts;
  for (const PlaceProblem& problem : find_place_problems(plan)) {
    texts.push_back((problem.is_warning ? "warning: " : "") + problem.text);
  }
  return texts;
}

class Places : public testing::Test {
 protected:
  Places() { std::filesystem::create_directory(folder_); }
  ~Places() override { std::filesystem::remove_all(folder_); }
  const std::string folder_ =
      (std::filesystem::temp_directory_path() / ("fanfare-places-" + std::to_string(getpid()))).string();
};

TEST_F(Places, ThatAreThereAreGood) {
  ServePlan plan;
  EXPECT_THAT(texts_of(plan), IsEmpty());
  plan.observe.access_log.path = folder_ + "/access.log";
  plan.cookie_file = folder_ + "/cookie";
  plan.listeners = {{.at = {.unix_path = folder_ + "/gateway.sock"}}};
  plan.admin = AdminPlan{.listeners = {{.unix_path = "admin.sock"}}, .group = "root"};
  EXPECT_THAT(texts_of(plan), IsEmpty());
  std::ofstream(folder_ + "/access.log") << "line\n";
  EXPECT_THAT(texts_of(plan), IsEmpty());
  plan.observe.access_log.path = "stderr";
  EXPECT_THAT(texts_of(plan), IsEmpty());
}

TEST_F(Places, FilesOfTheBrokerThatCannotBeReadAreNamed) {
  gateway::ServePlan plan;
  NatsOptions& relay = plan.relay.emplace();
  relay.servers = {"nats://127.0.0.1:4222"};
  EXPECT_THAT(texts_of(plan), IsEmpty());
  relay.ca_file = folder_ + "/missing.pem";
  EXPECT_THAT(texts_of(plan),
              ElementsAre("relay.nats: " + folder_ + "/missing.pem: No such file or directory"));
}

TEST_F(Places, MissingDirectoriesAreNamedWithAdvice) {
  ServePlan plan;
  plan.observe.access_log.path = "/no/such/access.log";
  plan.cookie_file = "/no/such/cookie";
  plan.canvas.emplace().rooms.push_back({.spec = {.name = "sketch"}, .file = "/dev/null/sketch.canvas"});
  plan.listeners = {{.at = {.unix_path = "/no/such/gateway.sock"}}};
  plan.admin = AdminPlan{.listeners = {{.unix_path = "/no/such/admin.sock"}}, .group = "nosuchgroup"};
  EXPECT_THAT(
      texts_of(plan),
      ElementsAre("server.accessLog.path: the directory of \"/no/such/access.log\" does not exist, create "
                  "\"/no/such\"",
                  "warning: access.cookieFile: the directory of \"/no/such/cookie\" does not exist, create "
                  "\"/no/such\"",
                  "canvas room sketch: file: \"/dev/null\" is not a directory, expected one for "
                  "\"/dev/null/sketch.canvas\"",
                  "warning: server.unixSocket.path: the directory of \"/no/such/gateway.sock\" does not "
                  "exist, create "
                  "\"/no/such\"",
                  "warning: admin.socket: the directory of \"/no/such/admin.sock\" does not exist, create "
                  "\"/no/such\"",
                  "admin.group: this system has no group \"nosuchgroup\", create it with: groupadd --system "
                  "nosuchgroup"));
}

TEST_F(Places, ADirectoryIsNoFile) {
  ServePlan plan;
  plan.cookie_file = folder_;
  EXPECT_THAT(texts_of(plan),
              ElementsAre("access.cookieFile: \"" + folder_ + "\" is a directory, expected a file"));
}

TEST_F(Places, OfTheCookieFileWithSomethingElseAreAnError) {
  ServePlan plan;
  plan.cookie_file = folder_ + "/cookie";
  std::ofstream(plan.cookie_file) << "__cookie__:left";
  EXPECT_THAT(texts_of(plan), IsEmpty());
  std::ofstream(plan.cookie_file) << "precious";
  EXPECT_THAT(
      texts_of(plan),
      ElementsAre("access.cookieFile: \"" + plan.cookie_file +
                  "\" is not a cookie file, expected a cookie file or a name that does not exist yet"));
}

TEST_F(Places, OfTheAccessLogAreFiles) {
  const auto log_at = [&](const std::string& name) {
    ServePlan plan;
    plan.observe.access_log.path = folder_ + "/" + name;
    return texts_of(plan);
  };
  const auto problem = [&](const std::string& name, const std::string& what) {
    return "server.accessLog.path: \"" + folder_ + "/" + name + "\" " + what;
  };
  std::filesystem::create_symlink("loop", folder_ + "/loop");
  EXPECT_THAT(log_at("loop"),
              ElementsAre(problem("loop", "is a symbolic link that leads back to itself, expected a file")));
  const auto socket = net::listen_on(*net::Address::unix_path(folder_ + "/socket"));
  EXPECT_THAT(log_at("socket"), ElementsAre(problem("socket", "is a socket, expected a file")));
  ASSERT_EQ(::mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  EXPECT_THAT(log_at("pipe"),
              ElementsAre("warning: " + problem("pipe",
                                                "is a pipe, which can be opened only while another "
                                                "program reads it")));
  ServePlan plan;
  plan.access_files = {folder_ + "/keys"};
  std::ofstream(folder_ + "/keys") << "key\n";
  plan.observe.access_log.path = folder_ + "/./keys";
  EXPECT_THAT(
      texts_of(plan),
      ElementsAre(problem("./keys", "is a file that this configuration reads, expected another one")));
}

TEST_F(Places, OfSocketsAreNotOtherFiles) {
  std::ofstream(folder_ + "/precious") << "precious";
  std::filesystem::create_symlink("precious", folder_ + "/link");
  ServePlan plan;
  plan.listeners = {{.at = {.unix_path = folder_ + "/precious"}}};
  plan.admin = AdminPlan{.listeners = {{.unix_path = folder_ + "/link"}}};
  const std::string what = "\" is a file and not a socket, expected a name that does not exist yet";
  EXPECT_THAT(texts_of(plan), ElementsAre("server.unixSocket.path: \"" + folder_ + "/precious" + what,
                                          "admin.socket: \"" + folder_ + "/link" + what));
  std::filesystem::remove(folder_ + "/precious");
  std::filesystem::remove(folder_ + "/link");
  const auto left = net::listen_on(*net::Address::unix_path(folder_ + "/precious"));
  EXPECT_THAT(texts_of(plan), IsEmpty());
}

TEST_F(Places, ThatThisUserCannotWriteAreAWarning) {
  std::filesystem::permissions(folder_,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  ServePlan plan;
  plan.cookie_file = folder_ + "/cookie";
  std::vector<std::string> texts;
  uid_t user = geteuid();
  // Root may write everywhere. The system call, unlike the function, changes the user of this thread only.
  std::thread([&] {
    constexpr uid_t kNobody = 65534;
    if (user == 0) EXPECT_EQ(syscall(SYS_setresuid, kNobody, kNobody, kNobody), 0);
    user = geteuid();
    texts = texts_of(plan);
  }).join();
  EXPECT_THAT(texts, ElementsAre("warning: access.cookieFile: \"" + folder_ +
                                 "\" cannot be written by user " + std::to_string(user) +
                                 " (Permission denied), give the server's user the right to write there"));
}

// As `serve` would refuse them.
class RoomPlaces : public Places {
 protected:
  std::string problem_of(const std::string& file) const {
    ServePlan plan;
    plan.canvas.emplace().rooms.push_back({.spec = {.name = "sketch"}, .file = file});
    const auto texts = texts_of(plan);
    if (texts.empty()) return "";
    EXPECT_EQ(texts.size(), 1U);
    EXPECT_TRUE(texts[0].starts_with("canvas room sketch: file: ")) << texts[0];
    return texts[0].substr(26);
  }
};

TEST_F(RoomPlaces, ARoomsFileIsAPlainFileOfItsOwn) {
  const std::string file = folder_ + "/one";
  EXPECT_EQ(problem_of(file), "");
  std::ofstream(file) << "";
  EXPECT_EQ(problem_of(file), "") << "empty";
  std::filesystem::create_hard_link(file, folder_ + "/hard");
  EXPECT_THAT(problem_of(file), HasSubstr("a hard link"));
  ASSERT_EQ(::mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(problem_of(folder_ + "/fifo"),
            "\"" + folder_ + "/fifo\" cannot be used: it is a device, a pipe or a socket, expected a file");
  EXPECT_THAT(problem_of("/dev/null"), HasSubstr("it is a device"));
  std::filesystem::create_symlink("loop", folder_ + "/loop");
  EXPECT_THAT(problem_of(folder_ + "/loop"), HasSubstr("leads back to itself"));
  std::ofstream(folder_ + "/config.yaml") << "canvas:\n";
  EXPECT_THAT(problem_of(folder_ + "/config.yaml"), HasSubstr("is not the file of a canvas room"));
  std::ofstream(folder_ + "/database") << std::string("SQLite format 3\0", 16);
  EXPECT_EQ(problem_of(folder_ + "/database"), "");
  std::filesystem::create_symlink(folder_ + "/elsewhere", folder_ + "/two-wal");
  EXPECT_THAT(problem_of(folder_ + "/two"), HasSubstr("/two-wal beside it is not a plain file"));
}

TEST_F(RoomPlaces, ItsNameLeavesSpaceForThoseOfItsCompanions) {
  const std::string longest = folder_ + "/" + std::string(247, 'x');
  EXPECT_EQ(problem_of(longest), "");
  EXPECT_THAT(problem_of(longest + "x"), HasSubstr("its name has 248 bytes, expected at most 247"));
}

}  // namespace
}  // namespace fanfare::gateway
