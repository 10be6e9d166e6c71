#include "session/client_session.h"

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

// State that is needed only until the WebSocket is open.
struct ClientSession::Opening {
  enum class Stage : std::uint8_t { connecting, asking_proxy, securing, upgrading, over };

  std::shared_ptr<const ClientPlan> plan;
  ws::ClientHandshake handshake;
  std::string address;
  Duration connect_timeout;
  std::uint32_t since_ms;  // when connecting began; later, when the connection was established
  Stage stage = Stage::connecting;
  bool dialling = true;  // dial() has not returned yet, and will return errors that occur meanwhile
  std::optional<ClientError> early_failure{};
  std::unique_ptr<http::ResponseParser> parser{};
};

std::expected<ClientSession*, ClientError> ClientSession::dial(SessionTable& table, ClientEndpoint& endpoint,
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
  auto opening = std::make_unique<Opening>(Opening{.plan = std::move(plan),
                                                   .handshake = std::move(*handshake),
                                                   .address = address.text(),
                                                   .connect_timeout = connect_timeout,
                                                   .since_ms = table.now_ms()});
  std::unique_ptr<ClientSession> session(new ClientSession(table, endpoint, std::move(opening)));
  ClientSession* dialled = session.get();
  // Join now, so that the sweep checks a connection that is never established.
  dialled->join_table();
  table.loop().adopt_connecting(std::move(session), std::move(*connecting));
  dialled->opening_->dialling = false;
  if (dialled->opening_->early_failure) return std::unexpected(*std::move(dialled->opening_->early_failure));
  return dialled;
}

ClientSession::ClientSession(SessionTable& table, ClientEndpoint& endpoint, std::unique_ptr<Opening> opening)
    : Session(table), client_endpoint_(endpoint), opening_(std::move(opening)) {}

ClientSession::~ClientSession() = default;

std::string ClientSession::peer() const {
  const auto address = net::peer_address(fd());
  return address ? address->text() : "";
}

void ClientSession::on_attached() {
  // The loop may report the connection in the turn in which it was closed.
  if (is_closed()) return;
  if (!client_endpoint_.on_connected(*this)) return close();
  opening_->since_ms = now_ms();
  if (opening_->plan->tunnel_to.empty()) {
    tunnel_stands();
  } else {
    ask_proxy();
  }
}

// RFC9110§9.3.6: after a 2xx response, the bytes that follow belong to the connection with the server.
void ClientSession::ask_proxy() {
  const ClientPlan& plan = *opening_->plan;
  opening_->stage = Opening::Stage::asking_proxy;
  opening_->parser = std::make_unique<http::ResponseParser>(http::ResponseLimits{}, true);
  const std::array<HeaderField, 2> headers{
      {{.name = "Host", .value = plan.tunnel_to},
       {.name = "Proxy-Authorization", .value = plan.proxy_authorization}}};
  http::render_request(*this, "CONNECT", plan.tunnel_to,
                       http::Headers(headers).first(plan.proxy_authorization.empty() ? 1 : 2));
}

void ClientSession::tunnel_stands() {
  const ClientPlan& plan = *opening_->plan;
  if (plan.tls == nullptr) return ask_upgrade();
  opening_->stage = Opening::Stage::securing;
  opening_->parser.reset();
  start_tls(plan.tls, net::TlsRole::client, plan.tls_server_name);
}

void ClientSession::on_secured() {
  ask_upgrade();
}

void ClientSession::ask_upgrade() {
  opening_->stage = Opening::Stage::upgrading;
  opening_->parser = std::make_unique<http::ResponseParser>();
  append(as_bytes(opening_->handshake.request()));
}

void ClientSession::on_receive(MutableBytes bytes) {
  if (opening_ != nullptr) return read_answer(bytes);
  receive_messages(bytes);
  const std::size_t partly = partly_received_bytes();
  if (partly > 0 && !is_closed()) client_endpoint_.on_receiving(*this, partly);
}

void ClientSession::read_answer(MutableBytes bytes) {
  const bool from_proxy = opening_->stage == Opening::Stage::asking_proxy;
  const std::string who = from_proxy ? "the proxy" : "the server";
  Bytes input = bytes;
  auto response = opening_->parser->next(input);
  table().counters().bytes_received.add(bytes.size() - input.size());
  if (!response) {
    if (has_refusal()) return fail(refusal_without_body());
    return fail(
        {.failure = ClientFailure::rule_broken,
         .text = who + "'s answer is not HTTP as it should be: " + std::string(response.error().reason)});
  }
  if (!*response) return;
  if (!from_proxy) return judge(**response, bytes.subspan(bytes.size() - input.size()));

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
  tunnel_stands();
}

void ClientSession::judge(const http::Response& response, MutableBytes rest) {
  auto agreement = opening_->handshake.check(
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
  agreement_ = std::move(*agreement);
  std::unique_ptr<ws::MessageCodec> codec;
  if (agreement_.deflate) {
    codec = std::make_unique<ws::DeflateCodec>(*agreement_.deflate, ws::Role::client,
                                               table().deflate_pool(opening_->plan->handshake.deflate));
  }
  opening_.reset();
  open(client_endpoint_, {.role = ws::Role::client,
                          .limits = &client_endpoint_.settings().limits,
                          .random = &table().random(),
                          .codec = std::move(codec)});
  // The bytes after the response are the WebSocket's first ones.
  if (!rest.empty()) receive_messages(rest);
}

bool ClientSession::has_refusal() const {
  return opening_->parser != nullptr && opening_->parser->status() > 101;
}

// The head of a regular rejection arrived, but its body did not, or was too long.
ClientError ClientSession::refusal_without_body() const {
  const int status = opening_->parser->status();
  const bool from_proxy = opening_->stage == Opening::Stage::asking_proxy;
  return {.failure = from_proxy ? ClientFailure::proxy_refused : ClientFailure::rejected,
          .text = std::string(from_proxy ? "the proxy" : "the server") + " answered " +
                  std::to_string(status) + " " + std::string(http::status_phrase(status)),
          .status = status};
}

void ClientSession::fail(ClientError error) {
  if (opening_->stage == Opening::Stage::over) return;
  error.was_connected = opening_->stage != Opening::Stage::connecting;
  opening_->stage = Opening::Stage::over;
  close();
  if (opening_->dialling) {
    opening_->early_failure = std::move(error);
  } else {
    client_endpoint_.on_failed(*this, error);
  }
}

void ClientSession::on_end() {
  if (opening_ == nullptr) return Session::on_end();
  if (has_refusal()) return fail(refusal_without_body());
  const bool from_proxy = opening_->stage == Opening::Stage::asking_proxy;
  fail({.failure = ClientFailure::connection_lost,
        .text = std::string(from_proxy ? "the proxy " : "the server ") + opening_->address +
                " closed the connection before it answered the handshake"});
}

void ClientSession::on_lost(const net::OsError& error) {
  if (opening_ == nullptr) return Session::on_lost(error);
  const Opening::Stage stage = opening_->stage;
  if (stage == Opening::Stage::securing && error.code == EPROTO) {
    return fail({.failure = ClientFailure::tls_failed,
                 .text = "TLS with \"" + opening_->plan->tls_server_name + "\" at " + opening_->address +
                         ": " + error.detail});
  }
  net::OsError told = error;
  if (told.detail.empty()) told.detail = opening_->address;
  fail({.failure = stage == Opening::Stage::connecting ? ClientFailure::connect_failed
                                                       : ClientFailure::connection_lost,
        .text = told.message(),
        .os_error = error.code});
}

void ClientSession::on_detached() {
  if (opening_ != nullptr) {
    fail({.failure = ClientFailure::cancelled,
          .text = "the connection to " + opening_->address + " was given up"});
  }
  Session::on_detached();
}

void ClientSession::check_time(std::uint32_t now) {
  if (opening_ == nullptr) return Session::check_time(now);
  if (is_closed()) return;
  const auto since = std::chrono::milliseconds(now - opening_->since_ms);
  switch (opening_->stage) {
    case Opening::Stage::connecting:
      if (since < opening_->connect_timeout) return;
      return fail({.failure = ClientFailure::timed_out,
                   .text = "connect " + opening_->address + ": no answer within " +
                           seconds(opening_->connect_timeout)});
    case Opening::Stage::asking_proxy:
    case Opening::Stage::securing:
    case Opening::Stage::upgrading: {
      const Duration timeout = opening_->plan->handshake_timeout;
      if (since < timeout) return;
      if (has_refusal()) return fail(refusal_without_body());
      const bool from_proxy = opening_->stage == Opening::Stage::asking_proxy;
      return fail({.failure = ClientFailure::timed_out,
                   .text = std::string(from_proxy ? "the proxy " : "the server ") + opening_->address +
                           " did not answer the handshake within " + seconds(timeout)});
    }
    case Opening::Stage::over:
      return;
  }
}

}  // namespace fanfare::session
