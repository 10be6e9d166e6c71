#include "gateway/places.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "access/password.h"
#include "canvasstore/file_checks.h"
#include "gateway/config_yaml.h"
#include "gateway/reload/listener_conflicts.h"
#include "net/tls.h"
#include "relay/options.h"

namespace fanfare::gateway {
namespace {

// replaced: written under another name and renamed, and in a directory that may be made at the start (under /run).
enum class Place : std::uint8_t { file, replaced };

bool has_group(const std::string& name) {
  std::array<char, 16384> memory{};
  group entry{};
  group* found = nullptr;
  return ::getgrnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found) == 0 && found != nullptr;
}

// SQLite's files begin so.
bool is_new_or_database(const std::string& path) {
  constexpr std::string_view kBegin("SQLite format 3\0", 16);
  std::ifstream file(path, std::ios::binary);
  std::array<char, kBegin.size()> begin{};
  file.read(begin.data(), begin.size());
  return file.gcount() == 0 || std::string_view(begin.data(), begin.size()) == kBegin;
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
      add(place == Place::replaced, key + ": the directory of " + quoted_for_message(path) +
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
  // What is there would be lost.
  void look_at_cookie(const std::string& path) {
    const std::string key = "access.cookieFile";
    const std::size_t before = found_.size();
    look_at(key, path, Place::replaced);
    if (found_.size() > before || path.empty()) return;
    if (const auto problem = access::cookie_place_problem(path)) {
      add(problem->is_of_this_user, key + ": " + quoted_for_message(problem->path) + " " + problem->text +
                                        ", expected a cookie file or a name that does not exist yet");
    }
  }
  // What the log is opened with is also known without that: opening a pipe would end its reader.
  void look_at_log(const std::string& path) {
    const std::string key = "server.accessLog.path";
    const std::size_t before = found_.size();
    look_at(key, path, Place::file);
    struct stat there{};
    if (found_.size() > before || path.empty()) return;
    if (::stat(path.c_str(), &there) != 0) {
      if (errno == ELOOP)
        add(false, key + ": " + quoted_for_message(path) +
                       " is a symbolic link that leads back to itself, expected a file");
    } else if (S_ISSOCK(there.st_mode)) {
      add(false, key + ": " + quoted_for_message(path) + " is a socket, expected a file");
    } else if (S_ISFIFO(there.st_mode)) {
      add(true, key + ": " + quoted_for_message(path) +
                    " is a pipe, which can be opened only while another program reads it");
    }
  }
  // A socket there is one that was left, or that of the running server.
  void look_at_socket(const std::string& key, const std::string& path) {
    const std::size_t before = found_.size();
    look_at(key, path, Place::replaced);
    struct stat there{};
    if (found_.size() > before || path.empty() || path.starts_with('@')) return;
    if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
      add(false, key + ": " + quoted_for_message(path) +
                     " is a file and not a socket, expected a name that does not exist yet");
    }
  }
  void look_at_port(const std::string& key, const server::ListenerOptions& at) {
    if (!at.unix_path.empty() || at.inherited_fd || at.port == 0 || ::geteuid() == 0) return;
    int first = 1024;
    std::ifstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") >> first;
    if (at.port >= first) return;
    add(true, key + ": port " + std::to_string(at.port) + " needs CAP_NET_BIND_SERVICE, which user " +
                  std::to_string(::geteuid()) + " may not have");
  }
  // Lines that are appended to a file that is read would break it.
  void look_at_input(const std::string& log, const std::string& read) {
    std::error_code failed;
    if (log.empty() || read.empty() || !std::filesystem::equivalent(log, read, failed)) return;
    add(false, "server.accessLog.path: " + quoted_for_message(log) +
                   " is a file that this configuration reads, expected another one");
  }
  void look_at_room(const std::string& key, const std::string& file) {
    if (file.empty()) return;
    const std::string path = canvasstore::resolved_path(file);
    const std::size_t before = found_.size();
    look_at(key, path, Place::file);
    if (found_.size() > before) return;
    if (const auto wrong = canvasstore::place_problem(path)) {
      add(false, key + ": " + quoted_for_message(file) + " cannot be used: " + *wrong);
    } else if (!is_new_or_database(path)) {
      add(false, key + ": " + quoted_for_message(file) +
                     " is not the file of a canvas room, expected one or a name that does not exist yet");
    }
  }
  void add(bool is_warning, std::string text) {
    found_.push_back({.is_warning = is_warning, .text = std::move(text)});
  }
  void look_at_certificate(const net::TlsServerOptions& options) {
    const auto context = net::TlsContext::server(options);
    if (!context) return add(false, "server.tls: " + context.error());
    for (const std::string& warning : (*context)->warnings()) add(true, "server.tls: " + warning);
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

std::vector<PlaceProblem> find_place_problems(const ServePlan& plan) {
  Problems problems;
  const std::string& access_log = plan.observe.access_log.path;
  if (access_log != "stdout" && access_log != "stderr") {
    problems.look_at_log(access_log);
    for (const std::string& file : plan.access_files) problems.look_at_input(access_log, file);
  }
  problems.look_at_cookie(plan.cookie_file);
  if (plan.canvas) {
    for (const canvasserver::RoomPlan& room : plan.canvas->rooms) {
      problems.look_at_room("canvas room " + room.spec.name + ": file", room.file);
    }
  }
  std::vector<net::TlsServerOptions> seen;
  for (const ListenerPlan& listener : plan.listeners) {
    const auto& tls = listener.at.tls;
    if (tls && std::ranges::find(seen, *tls) == seen.end()) {
      problems.look_at_certificate(seen.emplace_back(*tls));
      problems.look_at_input(access_log, tls->certificate_file);
      problems.look_at_input(access_log, tls->key_file);
    }
    if (!listener.at.inherited_fd) problems.look_at_socket("server.unixSocket.path", listener.at.unix_path);
    problems.look_at_port(key_of_listener(listener), listener.at);
  }
  if (plan.relay) {
    const std::string wrong = relay::problem_with_files(*plan.relay);
    if (!wrong.empty()) problems.add(false, "relay.nats: " + wrong);
  }
  if (!plan.admin) return problems.take();
  for (const server::ListenerOptions& listener : plan.admin->listeners) {
    problems.look_at_socket("admin.socket", listener.unix_path);
    problems.look_at_port("admin.port", listener);
  }
  const std::string& group = plan.admin->group;
  if (!group.empty() && !has_group(group)) {
    problems.add(false, "admin.group: this system has no group " + quoted_for_message(group) +
                            ", create it with: groupadd --system " + group);
  }
  return problems.take();
}

std::vector<std::string> problems_with_places(const ServePlan& plan) {
  std::vector<std::string> problems;
  for (PlaceProblem& problem : find_place_problems(plan)) {
    if (!problem.is_warning) problems.push_back(std::move(problem.text));
  }
  return problems;
}

}  // namespace fanfare::gateway
