#include "admin/server.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "server/path_pattern.h"
#include "ws/close_code.h"

namespace fanfare::admin {
namespace {

// Of a socket that its group may use, unless the options have another one.
constexpr unsigned kGroupMode = 0660;

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

bool is_same_listener(const server::ListenerOptions& one, const server::ListenerOptions& other) {
  if (!one.unix_path.empty() || !other.unix_path.empty()) return one.unix_path == other.unix_path;
  return one.host == other.host && one.port == other.port;
}

bool is_given_to_group(const server::ListenerOptions& listener, const std::string& group) {
  return !group.empty() && !listener.unix_path.empty();
}

std::unexpected<Error> system_error(const net::OsError& error) {
  return std::unexpected(
      Error{.kind = Error::Kind::system, .message = error.message(), .system_code = error.code});
}

// `file`: that of the listener.
std::expected<SocketRights, Error> give(const std::optional<session::UnixFile>& file,
                                        const server::ListenerOptions& listener, const std::string& group) {
  std::optional<unsigned> mode = listener.unix_mode;
  if (!mode && !group.empty()) mode = kGroupMode;
  // Nothing was bound there: it was not there any more right after that.
  return SocketRights::change(file.value_or(session::UnixFile{.path = listener.unix_path}), group, mode);
}

// Nobody else may connect before the group is set.
std::expected<server::Listeners, Error> load(server::ListenerOptions listener, const std::string& group) {
  if (is_given_to_group(listener, group) && !listener.inherited_fd) listener.unix_mode = 0600;
  return server::Listeners::prepare(std::span(&listener, 1));
}

}  // namespace

Server::Server(Api& api, ServerOptions options)
    : api_(api), options_(std::move(options)), server_(server_options(options_.loop_kind)) {}

std::expected<void, Error> Server::start() {
  std::vector<session::Listener> all;
  for (const server::ListenerOptions& listener : options_.listeners) {
    auto prepared = load(listener, options_.group);
    if (!prepared) return std::unexpected(std::move(prepared.error()));
    indices_.push_back(all.size());
    all.push_back(prepared->all().front());
    prepared_.emplace(indices_.back(), *std::move(prepared));
  }
  listeners_ = options_.listeners;
  group_ = options_.group;
  const auto started = server_.start(all, [this](session::LoopServer& loop, std::size_t) {
    session::Server::HttpServices services;
    for (std::size_t i = 0; i < options_.listeners.size(); ++i)
      services.push_back(make_site(loop, options_.listeners[i], i));
    return services;
  });
  if (!started) return system_error(started.error());
  has_started_ = true;
  for (const server::ListenerOptions& listener : listeners_) {
    if (!is_given_to_group(listener, group_)) continue;
    const std::size_t i = static_cast<std::size_t>(&listener - listeners_.data());
    auto given = give(server_.unix_file_of(i), listener, group_);
    if (!given) {
      stop(Duration::zero());
      return std::unexpected(std::move(given.error()));
    }
    given->keep();
  }
  return {};
}

std::expected<Server::Change, Error> Server::prepare(const std::vector<server::ListenerOptions>& listeners,
                                                     const std::string& group) const {
  Change change{
      .added = {}, .removed = indices_, .rights = {}, .listeners = listeners, .indices = {}, .group = group};
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const server::ListenerOptions& wanted = listeners[i];
    const auto present = std::ranges::find_if(
        listeners_, [&](const server::ListenerOptions& one) { return is_same_listener(one, wanted); });
    const bool is_present = present != listeners_.end();
    const std::size_t index =
        is_present ? indices_[static_cast<std::size_t>(present - listeners_.begin())] : 0;
    auto file = is_present ? server_.unix_file_of(index) : std::nullopt;
    const bool is_lost = file && !file->is_there();
    const auto keep = [&] {
      change.indices.push_back(index);
      std::erase(change.removed, index);
    };
    const bool is_new = !is_present || is_lost;
    if (is_new) {
      if (is_lost) change.listeners[i] = server::without_passed(wanted);
      auto prepared = load(change.listeners[i], group);
      if (!prepared) return std::unexpected(std::move(prepared.error()));
      auto bound = server_.bind_listener(prepared->all().front());
      if (!bound && !is_lost) return system_error(bound.error());
      if (!bound) {
        change.lost.push_back({.path = wanted.unix_path, .error = bound.error()});
        keep();
        continue;
      }
      if (is_lost) change.restored.push_back(wanted.unix_path);
      file = bound->path.file();
      change.indices.push_back(server_.listener_count() + change.added.size());
      change.added.push_back({.in_plan = i, .prepared = *std::move(prepared), .bound = *std::move(bound)});
    } else {
      keep();
    }
    const bool has_rights =
        is_new ? is_given_to_group(wanted, group)
               : !wanted.unix_path.empty() && (group != group_ || wanted.unix_mode != present->unix_mode);
    if (!has_rights) continue;
    auto rights = give(file, wanted, group);
    if (!rights) return std::unexpected(std::move(rights.error()));
    change.rights.push_back(*std::move(rights));
  }
  return change;
}

bool Server::apply(Change change) {
  for (SocketRights& rights : change.rights) rights.keep();
  for (Change::Added& added : change.added) {
    const std::size_t index = change.indices[added.in_plan];
    server_.add_listener(std::move(added.bound), [this, listener = change.listeners[added.in_plan], index](
                                                     session::LoopServer& loop, std::size_t) {
      return make_site(loop, listener, index);
    });
    prepared_.emplace(index, std::move(added.prepared));
  }
  const bool has_removed = !change.removed.empty();
  for (const std::size_t index : change.removed) {
    server_.post(0, [this, index](session::LoopServer&) { sites_.erase(index); });
    server_.remove_listener(index, session::Server::HttpEnd::after_current_response);
    prepared_.erase(index);
  }
  listeners_ = std::move(change.listeners);
  indices_ = std::move(change.indices);
  group_ = std::move(change.group);
  return !has_removed || server_.wait_for_loops();
}

void Server::remake_ports() {
  if (!has_started_) return;
  server_.post(0, [this](session::LoopServer& loop) {
    for (auto& [index, port] : sites_) port.site->replace(make_router(loop, port.listener));
  });
}

std::vector<net::Address> Server::addresses() const {
  std::vector<net::Address> all;
  for (const std::size_t index : indices_) all.push_back(server_.addresses()[index]);
  return all;
}

std::vector<std::string> Server::reload_certificates() const {
  std::vector<std::string> failures;
  for (const auto& [index, listeners] : prepared_)
    std::ranges::move(listeners.reload_certificates(), std::back_inserter(failures));
  return failures;
}

std::unique_ptr<session::HttpService> Server::make_site(session::LoopServer& loop,
                                                        const server::ListenerOptions& listener,
                                                        std::size_t index) {
  auto site = std::make_unique<server::ReplaceableRouter>(make_router(loop, listener));
  if (listener.unix_path.empty())
    sites_.insert_or_assign(index, PortSite{.listener = listener, .site = site.get()});
  return site;
}

std::unique_ptr<server::Router> Server::make_router(session::LoopServer& loop,
                                                    const server::ListenerOptions& listener) {
  auto context = context_.lock();
  if (context == nullptr) context_ = context = std::make_shared<server::LoopContext>(loop.loop(), 0);
  const bool is_path = !listener.unix_path.empty();
  server::RouterOptions options;
  options.not_found = "nothing here: the admin API is below /v1";
  if (!is_path) {
    options.on_loopback = server::is_on_loopback(listener);
    options.browsers.emplace(server::BrowserOptions{}, options.on_loopback);
    options.admission = options_.admission;
  }
  auto router = std::make_unique<server::Router>(std::move(context), std::move(options));
  router->mount(
      *server::PathPattern::parse("/v1/{any...}"),
      std::make_shared<AdminMount>(api_, server_, is_path ? AdminMountOptions{} : options_.port_mount));
  if (!is_path && options_.more) options_.more(*router);
  return router;
}

void Server::stop(Duration deadline) {
  if (has_started_) server_.stop(ws::close_code::service_restart, "the server is stopping", deadline);
}

}  // namespace fanfare::admin
