#include "session/client_dial.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "http/headers.h"
#include "http/render.h"
#include "http/response_parser.h"
#include "http/status.h"
#include "net/socket.h"
#include "net/stream.h"
#include "session/session_table.h"
#include "ws/deflate_codec.h"

namespace fanfare::session {
namespace {

// How much of a rejection's body an error quotes.
constexpr std::size_t kQuotedBytesMax = 200;

std::string quoted(std::string_view text) {
  std::string copy(text.substr(0, kQuotedBytesMax));
  while (!copy.empty() && (copy.back() == '\n' || copy.back() == '\r')) copy.pop_back();
  // The peer's text may appear in terminals and logs, so control characters are removed.
  std::ranges::replace_if(
      copy, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return "\"" + copy + (text.size() > kQuotedBytesMax ? "...\"" : "\"");
}

std::string seconds(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

// Describes the option that cannot be sent, with its value.
std::string describe(ws::OfferError error, const ws::ClientHandshakeOptions& options) {
  std::string text(ws::to_text(error));
  switch (error) {
    case ws::OfferError::bad_host:
      return text + ": " + quoted(options.host);
    case ws::OfferError::bad_target:
      return text + ": " + quoted(options.target);
    case ws::OfferError::bad_subprotocol:
      for (const std::string& subprotocol : options.subprotocols) text += joined({" ", quoted(subprotocol)});
      return text;
    case ws::OfferError::bad_header:
    case ws::OfferError::reserved_header:
      // Names only: values may be secrets.
      for (const ws::OwnedHeader& header : options.headers) text += joined({" ", quoted(header.name)});
      return text;
  }
  return text;
}

// "401 Unauthorized: "no token"", with the location for a redirect.
std::string describe(const http::Response& response) {
  std::string text =
      std::to_string(response.status) + " " + std::string(http::status_phrase(response.status));
  if (response.status / 100 == 3) {
    if (const auto location = http::find_header(response.headers, "Location")) {
      text += " (to " + quoted(*location) + ")";
    }
  }
  if (!response.body.empty()) text += ": " + quoted(as_text(response.body));
  return text;
}

}  // namespace

std::expected<ClientDial*, ClientError> ClientDial::dial(SessionTable& table, ClientEndpoint& endpoint,
                                                         std::shared_ptr<const ClientPlan> plan,
                                                         const net::Address& address,
                                                         Duration connect_timeout) {
  auto handshake = ws::ClientHandshake::make(plan->handshake, table.random());
  if (!handshake) {
    return std::unexpected(ClientError{.failure = ClientFailure::bad_option,
                                       .text = describe(handshake.error(), plan->handshake)});
  }
  auto connecting = net::start_connect(address);
  if (!connecting) {
    return std::unexpected(ClientError{.failure = ClientFailure::connect_failed,
                                       .text = connecting.error().message(),
                                       .os_error = connecting.error().code});
  }
  std::unique_ptr<ClientDial> made(new ClientDial(table, endpoint, std::move(plan), std::move(*handshake),
                                                  address.text(), connect_timeout));
  ClientDial* const dialled = made.get();
  table.loop().adopt_connecting(std::move(made), std::move(*connecting));
  dialled->dialling_ = false;
  if (dialled->early_failure_) return std::unexpected(*std::move(dialled->early_failure_));
  return dialled;
}

ClientDial::ClientDial(SessionTable& table, ClientEndpoint& endpoint, std::shared_ptr<const ClientPlan> plan,
                       ws::ClientHandshake handshake, std::string address, Duration connect_timeout)
    : Member(Kind::opening),
      table_(table),
      endpoint_(endpoint),
      plan_(std::move(plan)),
      handshake_(std::move(handshake)),
      address_(std::move(address)),
      connect_timeout_(connect_timeout),
      since_ms_(table.now_ms()) {}

ClientDial::~ClientDial() = default;

// It joins at once, so that the sweep checks a connection that is never established.
void ClientDial::on_adopted(net::Stream& stream) {
  stream_ = &stream;
  set_transport(stream);
  join();
}

void ClientDial::shut_down(std::uint16_t, std::string_view) {
  close();
}

std::string ClientDial::other_side() const {
  return is_from_proxy() ? "the proxy" : "the server";
}

void ClientDial::on_attached() {
  // The loop may report the connection in the turn in which it was closed.
  if (is_closed()) return;
  if (!endpoint_.on_connected(*this)) return close();
  since_ms_ = now_ms();
  if (plan_->tunnel_to.empty()) {
    begin_tunnel();
  } else {
    ask_proxy();
  }
}

// RFC9110§9.3.6: after a 2xx response, the bytes that follow belong to the connection with the server.
void ClientDial::ask_proxy() {
  const ClientPlan& plan = *plan_;
  stage_ = Stage::asking_proxy;
  parser_ = std::make_unique<http::ResponseParser>(http::ResponseLimits{}, true);
  const std::array<HeaderField, 2> headers{
      {{.name = "Host", .value = plan.tunnel_to},
       {.name = "Proxy-Authorization", .value = plan.proxy_authorization}}};
  http::render_request(transport(), "CONNECT", plan.tunnel_to,
                       http::Headers(headers).first(plan.proxy_authorization.empty() ? 1 : 2));
}

void ClientDial::begin_tunnel() {
  const ClientPlan& plan = *plan_;
  if (plan.tls == nullptr) return ask_upgrade();
  stage_ = Stage::securing;
  parser_.reset();
  stream_->start_tls(plan.tls, net::TlsRole::client, plan.tls_server_name);
}

void ClientDial::on_secured() {
  ask_upgrade();
}

void ClientDial::ask_upgrade() {
  stage_ = Stage::upgrading;
  parser_ = std::make_unique<http::ResponseParser>();
  transport().append(as_bytes(handshake_.request()));
}

void ClientDial::on_receive(MutableBytes bytes) {
  if (stage_ == Stage::over) return;
  Bytes input = bytes;
  auto response = parser_->next(input);
  table().counters().bytes_received.add(bytes.size() - input.size());
  if (!response) {
    if (has_refusal()) return fail(refusal_without_body());
    return fail({.failure = ClientFailure::rule_broken,
                 .text = other_side() +
                         "'s answer is not HTTP as it should be: " + std::string(response.error().reason)});
  }
  if (!*response) return;
  if (!is_from_proxy()) return judge(**response, bytes.subspan(bytes.size() - input.size()));

  if ((*response)->status / 100 != 2) {
    return fail({.failure = ClientFailure::proxy_refused,
                 .text = "the proxy answered " + describe(**response),
                 .status = (*response)->status});
  }
  // The server speaks only after our request, so bytes that have already arrived are not from it.
  if (!input.empty()) {
    return fail(
        {.failure = ClientFailure::rule_broken, .text = "the proxy sent more than its answer to CONNECT"});
  }
  begin_tunnel();
}

void ClientDial::judge(const http::Response& response, MutableBytes rest) {
  auto agreement = handshake_.check(
      {.version_minor = response.version_minor, .status = response.status, .headers = response.headers});
  if (!agreement) {
    const ws::RuleInfo& rule = ws::info(agreement.error());
    // RFC6455§4.1: HTTP handles any status other than 101.
    if (rule.rule == ws::Rule::handshake_status_not_101 || response.status != 101) {
      return fail({.failure = ClientFailure::rejected,
                   .text = "the server answered " + describe(response),
                   .status = response.status});
    }
    return fail({.failure = ClientFailure::rule_broken,
                 .text = "the server's handshake breaks " + std::string(rule.clause) + ", \"" +
                         std::string(rule.sentence) + "\" (" + std::string(rule.name) + ")",
                 .rule = rule.rule});
  }
  open(*std::move(agreement), rest);
}

void ClientDial::open(ws::ClientAgreement agreement, MutableBytes rest) {
  std::unique_ptr<ws::MessageCodec> codec;
  if (agreement.deflate) {
    codec = std::make_unique<ws::DeflateCodec>(*agreement.deflate, ws::Role::client,
                                               table_.deflate_pool(plan_->handshake.deflate));
  }
  auto session =
      std::make_unique<ClientSession>(table_, *stream_, endpoint_,
                                      ws::Connection::Options{.role = ws::Role::client,
                                                              .limits = &endpoint_.settings().limits,
                                                              .random = &table_.random(),
                                                              .codec = std::move(codec)},
                                      std::move(data_), std::move(agreement));
  ClientSession& opened = *session;
  stage_ = Stage::over;
  stream_->set_handler(std::move(session));
  endpoint_.on_established(*this, opened);
  opened.open_in_place_of(*this);
  // The bytes after the response are the WebSocket's first ones.
  net::TransportHandler& handler = opened;
  if (!rest.empty()) handler.on_receive(rest);
}

bool ClientDial::has_refusal() const {
  return parser_ != nullptr && parser_->status() > 101;
}

// The head of a regular rejection arrived, but its body did not, or was too long.
ClientError ClientDial::refusal_without_body() const {
  const int status = parser_->status();
  return {.failure = is_from_proxy() ? ClientFailure::proxy_refused : ClientFailure::rejected,
          .text = other_side() + " answered " + std::to_string(status) + " " +
                  std::string(http::status_phrase(status)),
          .status = status};
}

void ClientDial::fail(ClientError error) {
  if (stage_ == Stage::over) return;
  error.was_connected = stage_ != Stage::connecting;
  stage_ = Stage::over;
  close();
  if (dialling_) {
    early_failure_ = std::move(error);
  } else {
    endpoint_.on_failed(*this, error);
  }
}

void ClientDial::on_end() {
  if (has_refusal()) return fail(refusal_without_body());
  fail({.failure = ClientFailure::connection_lost,
        .text = other_side() + " " + address_ + " closed the connection before it answered the handshake"});
}

void ClientDial::on_lost(const net::OsError& error) {
  const Stage stage = stage_;
  if (stage == Stage::securing && error.code == EPROTO) {
    return fail({.failure = ClientFailure::tls_failed,
                 .text = "TLS with \"" + plan_->tls_server_name + "\" at " + address_ + ": " + error.detail});
  }
  net::OsError told = error;
  if (told.detail.empty()) told.detail = address_;
  fail(
      {.failure = stage == Stage::connecting ? ClientFailure::connect_failed : ClientFailure::connection_lost,
       .text = told.message(),
       .os_error = error.code});
}

void ClientDial::on_detached() {
  fail({.failure = ClientFailure::cancelled, .text = "the connection to " + address_ + " was given up"});
  leave_table();
}

void ClientDial::check_time(std::uint32_t now) {
  if (is_closed()) return;
  const auto since = std::chrono::milliseconds(now - since_ms_);
  switch (stage_) {
    case Stage::connecting:
      if (since < connect_timeout_) return;
      return fail({.failure = ClientFailure::timed_out,
                   .text = "connect " + address_ + ": no answer within " + seconds(connect_timeout_)});
    case Stage::asking_proxy:
    case Stage::securing:
    case Stage::upgrading: {
      const Duration timeout = plan_->handshake_timeout;
      if (since < timeout) return;
      if (has_refusal()) return fail(refusal_without_body());
      return fail({.failure = ClientFailure::timed_out,
                   .text = other_side() + " " + address_ + " did not answer the handshake within " +
                           seconds(timeout)});
    }
    case Stage::over:
      return;
  }
}

}  // namespace fanfare::session
