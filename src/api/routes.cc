#include "api/routes.h"

#include <algorithm>
#include <utility>

#include "api/option_check.h"
#include "http/headers.h"
#include "ws/handshake.h"

namespace fanfare::api {
namespace {

// Returns an error for an origin or a subprotocol that no client can ever send; empty: none.
std::string find_wrong_name(const WebSocketRoute& route) {
  const auto origin = std::ranges::find_if_not(route.origins, ws::is_origin_pattern);
  if (origin != route.origins.end()) {
    return "origin '" + *origin + "': as in https://example.com, https://*.example.com or *";
  }
  const auto subprotocol = std::ranges::find_if_not(route.subprotocols, http::is_token);
  if (subprotocol != route.subprotocols.end()) return "subprotocol '" + *subprotocol + "': one token";
  return "";
}

// Returns an error for a route that cannot work; empty: none.
std::string find_wrong_part(const WebSocketRoute& route) {
  if (std::string wrong = find_wrong_name(route); !wrong.empty()) return wrong;
  if (route.has_message_handler && route.has_chunk_handler) {
    return "a message handler or a chunk handler, not both";
  }
  return route.deflate ? find_wrong_option(*route.deflate).value_or("") : "";
}

}  // namespace

void Routes::add(std::string_view path, std::unique_ptr<WebSocketRoute> route) {
  auto pattern = server::PathPattern::parse(path);
  if (!pattern) return note_problem(pattern.error());
  if (const std::string wrong = find_wrong_part(*route); !wrong.empty()) {
    return note_problem("route '" + std::string(path) + "': " + wrong);
  }
  if (route->deflate) route->deflate = saturated(*route->deflate);
  upgrades_.push_back({.path = *std::move(pattern), .route = std::move(route)});
}

void Routes::add(std::string_view path, RequestEntry entry) {
  auto pattern = server::PathPattern::parse(path);
  if (!pattern || (!entry.answer && !entry.answer_in_pieces) || !http::is_token(entry.method)) {
    return note_problem(pattern ? "route '" + std::string(path) + "': it needs a method and a handler"
                                : pattern.error());
  }
  entry.path = *std::move(pattern);
  requests_.push_back(std::move(entry));
}

void Routes::add_files(std::string_view path, FileOptions options) {
  const std::string_view parent = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  auto pattern = server::PathPattern::parse(std::string(parent) + "/{path...}");
  if (!pattern) return note_problem(pattern.error());
  server::FileOptions files{.directory = std::move(options.directory),
                            .index = std::move(options.index),
                            .fallback = std::move(options.fallback),
                            .cache_control = std::move(options.cache_control),
                            .immutable_directory = std::move(options.immutable_directory)};
  for (Header& header : options.headers) {
    files.headers.push_back({.name = std::move(header.name), .value = std::move(header.value)});
  }
  files_.push_back({.path = *std::move(pattern), .options = std::move(files), .mount = nullptr});
}

void Routes::add_rpc(std::expected<RpcEntry, std::string> entry) {
  if (!entry) return note_problem(std::move(entry.error()));
  rpcs_.push_back(*std::move(entry));
}

void Routes::note_problem(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
}

std::expected<void, std::string> Routes::open_files() {
  for (FilesEntry& entry : files_) {
    auto opened = server::StaticFiles::open(entry.options);
    if (!opened) return std::unexpected("files: " + opened.error());
    entry.mount = *std::move(opened);
  }
  return {};
}

}  // namespace fanfare::api
