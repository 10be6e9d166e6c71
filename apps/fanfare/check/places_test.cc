#include "check/places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace fanfare::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> texts_of(const gateway::ServePlan& plan) {
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
  gateway::ServePlan plan;
  EXPECT_THAT(texts_of(plan), IsEmpty());
  plan.observe.access_log.path = folder_ + "/access.log";
  plan.cookie_file = folder_ + "/cookie";
  plan.listeners = {{.at = {.unix_path = folder_ + "/gateway.sock"}}};
  plan.admin = gateway::AdminPlan{.listeners = {{.unix_path = "admin.sock"}}, .group = "root"};
  EXPECT_THAT(texts_of(plan), IsEmpty());
  std::ofstream(folder_ + "/access.log") << "line\n";
  EXPECT_THAT(texts_of(plan), IsEmpty());
  plan.observe.access_log.path = "stderr";
  EXPECT_THAT(texts_of(plan), IsEmpty());
}

TEST_F(Places, ThatAreMissingAreNamedWithWhatToDo) {
  gateway::ServePlan plan;
  plan.observe.access_log.path = "/no/such/access.log";
  plan.cookie_file = folder_;
  plan.canvas.emplace().rooms.push_back({.spec = {.name = "sketch"}, .file = "/dev/null/sketch.canvas"});
  plan.listeners = {{.at = {.unix_path = "/no/such/gateway.sock"}}};
  plan.admin =
      gateway::AdminPlan{.listeners = {{.unix_path = "/no/such/admin.sock"}}, .group = "nosuchgroup"};
  EXPECT_THAT(
      texts_of(plan),
      ElementsAre("server.accessLog.path: the directory of \"/no/such/access.log\" does not exist, create "
                  "\"/no/such\"",
                  "access.cookieFile: \"" + folder_ + "\" is a directory, expected a file",
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

TEST_F(Places, ThatThisUserCannotWriteAreAWarning) {
  std::filesystem::permissions(folder_,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  gateway::ServePlan plan;
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

}  // namespace
}  // namespace fanfare::app
