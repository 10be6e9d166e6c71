#include "session/client_plan.h"

#include <algorithm>

#include "http/headers.h"
#include "ws/base64.h"

namespace fanfare::session {
namespace {

std::unexpected<ClientError> refuse(ClientFailure failure, std::string text) {
  return std::unexpected(ClientError{.failure = failure, .text = std::move(text)});
}

std::string basic_authorization(const http::Url& url) {
  return "Basic " + ws::base64_encode(as_bytes(url.user + ":" + url.password));
}

// RFC9110§9.3.6: the target of CONNECT always includes the port.
std::string authority_with_port(const http::Url& url) {
  return (url.is_ipv6() ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
}

std::expected<void, ClientError> plan_proxy(const std::string& text, ClientPlan& plan) {
  auto proxy = http::parse_url(text, "http");
  if (!proxy) return refuse(ClientFailure::bad_option, "proxy: " + proxy.error());
  if (proxy->scheme != http::Scheme::http) {
    return refuse(ClientFailure::bad_option,
                  "proxy " + proxy->text() + ": only http:// proxies are supported");
  }
  if (plan.url.scheme == http::Scheme::ws_unix) {
    return refuse(ClientFailure::bad_option,
                  "proxy " + proxy->text() + ": " + plan.url.text() + " is on this machine and needs none");
  }
  plan.connect_host = proxy->host;
  plan.connect_port = proxy->port;
  plan.tunnel_to = authority_with_port(plan.url);
  if (!proxy->user.empty()) plan.proxy_authorization = basic_authorization(*proxy);
  return {};
}

}  // namespace

std::expected<ClientPlan, ClientError> make_client_plan(const ClientOptions& options) {
  auto url = http::parse_url(options.url, "ws, wss or ws+unix");
  if (!url) return refuse(ClientFailure::bad_url, url.error());
  if (!url->is_websocket()) {
    return refuse(ClientFailure::bad_url, "invalid URL \"" + url->text() + "\": scheme \"" +
                                              std::string(http::scheme_name(url->scheme)) +
                                              "\" (expected ws, wss or ws+unix)");
  }
  if (url->scheme == http::Scheme::ws_unix) {
    if (auto path = net::Address::unix_path(url->socket_path); !path) {
      return refuse(ClientFailure::bad_url, path.error());
    }
  }
  ClientPlan plan{.url = std::move(*url),
                  .handshake = {.subprotocols = options.subprotocols,
                                .origin = options.origin,
                                .headers = options.headers,
                                .deflate = options.deflate},
                  .connect_timeout = options.connect_timeout,
                  .handshake_timeout = options.handshake_timeout};
  plan.connect_host = plan.url.host;
  plan.connect_port = plan.url.port;
  plan.handshake.host = plan.url.authority();
  plan.handshake.target = plan.url.target;
  const bool has_own = std::ranges::any_of(options.headers, [](const ws::OwnedHeader& header) {
    return http::equals_ignoring_case(header.name, "Authorization");
  });
  if (!plan.url.user.empty() && !has_own) {
    plan.handshake.headers.push_back({.name = "Authorization", .value = basic_authorization(plan.url)});
  }
  if (plan.url.is_tls()) {
    auto context = net::TlsContext::client(
        {.verify = options.tls.verify, .ca_file = options.tls.ca_file, .protocol = options.tls.protocol});
    if (!context) return refuse(ClientFailure::bad_option, context.error());
    plan.tls = std::move(*context);
    plan.tls_server_name = options.tls.server_name.empty() ? plan.url.host : options.tls.server_name;
  }
  if (!options.proxy.empty()) {
    if (auto planned = plan_proxy(options.proxy, plan); !planned) return std::unexpected(planned.error());
  }
  return plan;
}

std::vector<net::Address> known_addresses(const ClientPlan& plan) {
  std::vector<net::Address> addresses;
  if (plan.url.scheme == http::Scheme::ws_unix) {
    if (auto address = net::Address::unix_path(plan.url.socket_path)) addresses.push_back(*address);
    return addresses;
  }
  if (auto address = net::Address::parse(plan.connect_host, plan.connect_port)) addresses.push_back(*address);
  // RFC6761§6.3: localhost is the loopback address of either family.
  if (plan.connect_host == "localhost") addresses.push_back(*net::Address::parse("::1", plan.connect_port));
  return addresses;
}

}  // namespace fanfare::session
