#include "check/places.h"

#include <grp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "gateway/config_yaml.h"

namespace fanfare::app {
namespace {

using gateway::quoted_for_message;

enum class Place : std::uint8_t { file, socket };

bool has_group(const std::string& name) {
  std::array<char, 16384> memory{};
  group entry{};
  group* found = nullptr;
  return ::getgrnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found) == 0 && found != nullptr;
}

class Problems {
 public:
  void look_at(const std::string& key, const std::string& path, Place place) {
    if (path.empty() || path.starts_with('@')) return;
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    if (folder.empty()) folder = ".";
    std::error_code failed;
    const auto status = std::filesystem::status(folder, failed);
    if (!std::filesystem::exists(status)) {
      add(place == Place::socket, key + ": the directory of " + quoted_for_message(path) +
                                      " does not exist, create " + quoted_for_message(folder.string()));
    } else if (!std::filesystem::is_directory(status)) {
      add(false, key + ": " + quoted_for_message(folder.string()) + " is not a directory, expected one for " +
                     quoted_for_message(path));
    } else if (std::filesystem::is_directory(path, failed)) {
      add(false, key + ": " + quoted_for_message(path) + " is a directory, expected a file");
    } else {
      look_at_rights(key, path, folder.string(), place);
    }
  }
  void add(bool is_warning, std::string text) {
    found_.push_back({.is_warning = is_warning, .text = std::move(text)});
  }
  std::vector<PlaceProblem> take() { return std::move(found_); }

 private:
  // A file system that is read-only is so for every user.
  void look_at_rights(const std::string& key, const std::string& path, const std::string& folder,
                      Place place) {
    const bool is_there = place == Place::file && ::access(path.c_str(), F_OK) == 0;
    const std::string& written = is_there ? path : folder;
    if (::access(written.c_str(), is_there ? W_OK : W_OK | X_OK) == 0) return;
    const int code = errno;
    add(code != EROFS, key + ": " + quoted_for_message(written) + " cannot be written by user " +
                           std::to_string(::geteuid()) + " (" + std::strerror(code) +
                           "), give the server's user the right to write there");
  }

  std::vector<PlaceProblem> found_;
};

}  // namespace

std::vector<PlaceProblem> find_place_problems(const gateway::ServePlan& plan) {
  Problems problems;
  const std::string& access_log = plan.observe.access_log.path;
  if (access_log != "stdout" && access_log != "stderr") {
    problems.look_at("server.accessLog.path", access_log, Place::file);
  }
  problems.look_at("access.cookieFile", plan.cookie_file, Place::file);
  if (plan.canvas) {
    for (const canvasserver::RoomPlan& room : plan.canvas->rooms) {
      problems.look_at("canvas room " + room.spec.name + ": file", room.file, Place::file);
    }
  }
  for (const gateway::ListenerPlan& listener : plan.listeners) {
    problems.look_at("server.unixSocket.path", listener.at.unix_path, Place::socket);
  }
  if (!plan.admin) return problems.take();
  for (const server::ListenerOptions& listener : plan.admin->listeners) {
    problems.look_at("admin.socket", listener.unix_path, Place::socket);
  }
  const std::string& group = plan.admin->group;
  if (!group.empty() && !has_group(group)) {
    problems.add(false, "admin.group: this system has no group " + quoted_for_message(group) +
                            ", create it with: groupadd --system " + group);
  }
  return problems.take();
}

}  // namespace fanfare::app
