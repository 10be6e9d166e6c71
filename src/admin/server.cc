#include "admin/server.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "server/path_pattern.h"
#include "server/router.h"
#include "ws/close_code.h"

namespace fanfare::admin {
namespace {

session::ServerOptions server_options(net::LoopKind kind) {
  session::ServerOptions options;
  options.loops = 1;
  options.loop.kind = kind;
  options.loop.streams_max = Server::kConnectionsMax;
  options.accept.connections_max = Server::kConnectionsMax;
  options.loop_server.connections_max = Server::kConnectionsMax;
  options.loop_server.http.body_bytes_max = Server::kBodyBytesMax;
  return options;
}

}  // namespace

Server::Server(Api& api, ServerOptions options)
    : api_(api), options_(std::move(options)), server_(server_options(options_.loop_kind)) {}

std::expected<void, Error> Server::start() {
  auto listeners = options_.listeners;
  // Nobody else may connect before the group is set.
  for (server::ListenerOptions& listener : listeners) {
    const bool is_new = !listener.inherited_fd;
    if (is_new && !options_.group.empty() && !listener.unix_path.empty()) listener.unix_mode = 0600;
  }
  auto prepared = server::Listeners::prepare(listeners);
  if (!prepared) return std::unexpected(std::move(prepared.error()));
  listeners_ = *std::move(prepared);
  const auto started = server_.start(listeners_.all(), [this](session::LoopServer& loop, std::size_t index) {
    return make_services(loop, index);
  });
  if (!started) {
    return std::unexpected(Error{.kind = Error::Kind::system,
                                 .message = started.error().message(),
                                 .system_code = started.error().code});
  }
  has_started_ = true;
  for (const server::ListenerOptions& listener : options_.listeners) {
    if (options_.group.empty() || listener.unix_path.empty()) continue;
    auto given = give_to_group(listener.unix_path, listener.unix_mode.value_or(0660));
    if (given) continue;
    stop(Duration::zero());
    return given;
  }
  return {};
}

std::expected<void, Error> Server::give_to_group(const std::string& path, unsigned mode) const {
  const auto failed = [&](const char* what, int code) {
    return std::unexpected(Error{
        .kind = Error::Kind::system,
        .message = joined({what, " ", path, " to group ", options_.group, ": ",
                           code == 0 ? "there is no such group" : std::generic_category().message(code)}),
        .system_code = code});
  };
  std::array<char, 16384> memory;
  group entry{};
  group* found = nullptr;
  const int looked = ::getgrnam_r(options_.group.c_str(), &entry, memory.data(), memory.size(), &found);
  if (found == nullptr) return failed("cannot give", looked);
  if (::chown(path.c_str(), static_cast<uid_t>(-1), entry.gr_gid) != 0) return failed("cannot give", errno);
  if (::chmod(path.c_str(), mode) != 0) return failed("cannot open", errno);
  return {};
}

session::Server::HttpServices Server::make_services(session::LoopServer& loop, std::size_t index) {
  const auto context = std::make_shared<server::LoopContext>(loop.loop(), index);
  session::Server::HttpServices services;
  for (const server::ListenerOptions& listener : options_.listeners) {
    const bool is_path = !listener.unix_path.empty();
    server::RouterOptions options;
    options.not_found = "nothing here: the admin API is below /v1";
    if (!is_path) {
      options.on_loopback = server::is_on_loopback(listener);
      options.browsers.emplace(server::BrowserOptions{}, options.on_loopback);
      options.admission = options_.admission;
    }
    auto router = std::make_unique<server::Router>(context, std::move(options));
    router->mount(
        *server::PathPattern::parse("/v1/{any...}"),
        std::make_shared<AdminMount>(api_, server_, is_path ? AdminMountOptions{} : options_.port_mount));
    if (!is_path && options_.more) options_.more(*router);
    services.push_back(std::move(router));
  }
  return services;
}

void Server::stop(Duration deadline) {
  if (has_started_) server_.stop(ws::close_code::service_restart, "the server is stopping", deadline);
}

}  // namespace fanfare::admin
