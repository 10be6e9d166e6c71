#pragma once
// What a program serves: its routes, as they were added before Server::start(). They do not change while it runs.

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fanfare/server.h"
#include "server/path_pattern.h"
#include "server/static_files.h"

namespace fanfare::rpc {
class Registry;
}  // namespace fanfare::rpc

namespace fanfare::api {

struct UpgradeEntry {
  server::PathPattern path;
  std::unique_ptr<WebSocketRoute> route;
};
struct RequestEntry {
  server::PathPattern path;
  std::string method;
  std::function<void(const Request&, Responder)> answer;
  // In place of `answer`: the body is taken in pieces.
  std::function<void(const Request&, Responder, BodyReader)> answer_in_pieces = {};
  BodyOptions body = {};
};

struct FilesEntry {
  server::PathPattern path;
  server::FileOptions options;
  std::shared_ptr<server::StaticFiles> mount;  // from open_files() on
};

// A JSON-RPC service at a path.
struct RpcEntry {
  std::string text;  // the path, as the program wrote it
  server::PathPattern path;
  std::shared_ptr<rpc::Registry> registry;
};

class Routes {
 public:
  // A route that cannot be added is recorded as a problem.
  void add(std::string_view path, std::unique_ptr<WebSocketRoute> route);
  void add(std::string_view path, RequestEntry entry);
  void add_files(std::string_view path, FileOptions options);
  void add_rpc(std::expected<RpcEntry, std::string> entry);
  void admit(std::function<std::optional<Response>(const Request&)> decide) { decide_ = std::move(decide); }

  // The first one counts.
  void note_problem(std::string problem);
  // Why the server cannot start; start() reports it. Empty: every route was added.
  const std::string& problem() const { return problem_; }

  // Opens the folders. The error names one that cannot be opened.
  std::expected<void, std::string> open_files();

  const std::vector<UpgradeEntry>& upgrades() const { return upgrades_; }
  const std::vector<RequestEntry>& requests() const { return requests_; }
  const std::vector<FilesEntry>& files() const { return files_; }
  const std::vector<RpcEntry>& rpcs() const { return rpcs_; }
  // Empty: every request is admitted.
  const std::function<std::optional<Response>(const Request&)>& decide() const { return decide_; }

 private:
  std::vector<UpgradeEntry> upgrades_;
  std::vector<RequestEntry> requests_;
  std::vector<FilesEntry> files_;
  std::vector<RpcEntry> rpcs_;
  std::function<std::optional<Response>(const Request&)> decide_;
  std::string problem_;
};

}  // namespace fanfare::api
