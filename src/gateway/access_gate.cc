#include "gateway/access_gate.h"

#include <algorithm>
#include <utility>

#include "jsonrpc/response.h"
#include "rpc/methods.h"

namespace fanfare::gateway {
namespace {

using access::Denial;

constexpr std::string_view kPathKey = "key";
constexpr std::string_view kNoRole = "none";

access::Authenticator make_authenticator(const access::AccessPlan& plan) {
  SystemRandom random;
  return {plan, random};
}

session::HttpResponse error_answer(int status, const rpc::Refusal& refusal) {
  session::HttpResponse answer{
      .status = status, .content_type = "application/json", .body = "", .headers = {}};
  jsonrpc::append_error(answer.body, "null", refusal.code, refusal.message, refusal.data_json);
  if (refusal.retry_after > Duration::zero()) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(refusal.retry_after);
    answer.headers.push_back({.name = "Retry-After", .value = std::to_string(wait.count())});
  }
  return answer;
}

// The last segment of the path, if the mount has a place for a key.
std::string_view key_in(const server::PathPattern::Match& match) {
  const auto found = std::ranges::find(match.parameters, kPathKey, &http::Parameter::name);
  return found == match.parameters.end() ? std::string_view() : std::string_view(found->value);
}

std::vector<std::string_view> names_of(const std::vector<access::Role>& roles) {
  std::vector<std::string_view> names;
  for (const access::Role& role : roles) names.push_back(role.name);
  return names;
}

}  // namespace

AccessGate::AccessGate(AccessPolicy policy, Clock& clock)
    : policy_(std::move(policy)),
      clock_(clock),
      authenticator_(make_authenticator(*policy_.plan)),
      costs_(policy_.plan->costs),
      identities_(policy_.plan->accounts_max),
      addresses_(policy_.plan->accounts_max) {
  const auto add = [&](std::string_view name) {
    if (cells_of_.contains(name)) return;
    cells_.push_back(std::make_unique<RoleCells>(std::string(name)));
    cells_of_[cells_.back()->role] = cells_.back().get();
  };
  for (const access::RolePlan& one : policy_.plan->roles) add(one.role.name);
  add(kNoRole);
}

AccessGate::Peer AccessGate::peer_of(std::string_view text) {
  Peer peer{.address = access::IpAddress::of_peer(text), .account = nullptr};
  peer.account = addresses_.find(access::payer_of(peer.address), clock_.now());
  return peer;
}

access::Payer AccessGate::payer_for(const access::Caller& caller, const Peer& peer) {
  return {{.limits = caller.limits, .account = identities_.find(caller.principal->name, clock_.now())},
          {.limits = authenticator_.address_limits(), .account = peer.account}};
}

void AccessGate::note(const access::Refusal& refusal, std::string_view peer) {
  denials_[refusal.denial].add();
  denied_.write({{"reason", access::name_of(refusal.denial)}, {"peer", peer}});
}

session::HttpResponse AccessGate::answer_to(const access::Refusal& refusal, bool is_foreign) const {
  if (refusal.denial == Denial::blocked) {
    rpc::Refusal limit = rpc::limit_reached("failed attempts", refusal.retry_after);
    limit.message = access::text_of(refusal.denial);
    return error_answer(429, limit);
  }
  session::HttpResponse answer =
      error_answer(is_foreign ? 403 : 401,
                   {.code = rpc::kNotPermitted, .message = std::string(access::text_of(refusal.denial))});
  if (is_foreign) return answer;
  // RFC9110§11.6.1. Basic makes a browser ask its user, so it is offered only if there are users.
  answer.headers.push_back({.name = "WWW-Authenticate", .value = "Bearer"});
  if (!policy_.plan->users.empty()) {
    answer.headers.push_back(
        {.name = "WWW-Authenticate", .value = R"(Basic realm="jsonrpc", charset="UTF-8")"});
  }
  return answer;
}

std::expected<std::shared_ptr<server::Admitted>, session::HttpResponse> AccessGate::admit(
    const session::HttpConnection& session, const http::Request& request,
    const server::PathPattern::Match& match, bool is_upgrade) {
  const std::string name = session.peer();
  const Peer peer = peer_of(name);
  const auto credentials = access::find_credentials(
      {.headers = request.headers, .query = request.query, .path_key = key_in(match)});
  auto caller = authenticator_.authenticate(credentials, {.address = peer.address,
                                                          .account = *peer.account,
                                                          .now = clock_.now(),
                                                          .wall_now = clock_.wall_now()});
  if (!caller && caller.error().denial == Denial::missing && is_upgrade &&
      policy_.first_message_within > Duration::zero()) {
    access::Principal waiting{.name = std::string(kUnauthenticated),
                              .roles = {},
                              .expires_at = clock_.wall_now() + policy_.first_message_within};
    caller = access::Caller{.principal = std::make_shared<const access::Principal>(std::move(waiting)),
                            .limits = std::make_shared<const access::Limits>()};
  }
  if (!caller) {
    note(caller.error(), name);
    const bool is_foreign = !access::is_in(policy_.plan->allowed_addresses, peer.address);
    return std::unexpected(answer_to(caller.error(), is_foreign));
  }
  auto payer = std::make_shared<access::Payer>(payer_for(*caller, peer));
  if (is_upgrade) {
    if (const auto refused = payer->take_connection(clock_.now())) {
      cells(*caller->principal).refused[AccessRefusal::limit].add();
      return std::unexpected(
          error_answer(429, rpc::limit_reached(access::name_of(refused->limit), refused->retry_after)));
    }
  }
  return std::make_shared<AdmittedCaller>(caller->principal, std::move(payer));
}

std::expected<access::PrincipalPtr, access::Refusal> AccessGate::renew(std::string_view token,
                                                                       std::string_view peer_text,
                                                                       const access::Principal& before,
                                                                       access::Payer& payer) {
  const Peer peer = peer_of(peer_text);
  std::expected<access::Credentials, Denial> credentials = std::unexpected(Denial::malformed);
  if (!token.empty() && token.size() <= access::kSecretBytesMax) {
    credentials = access::Credentials::token(std::string(token));
  }
  auto caller = authenticator_.authenticate(credentials, {.address = peer.address,
                                                          .account = *peer.account,
                                                          .now = clock_.now(),
                                                          .wall_now = clock_.wall_now()});
  if (!caller) {
    note(caller.error(), peer_text);
    return std::unexpected(caller.error());
  }
  if (before.name == kUnauthenticated) {
    access::Payer next = payer_for(*caller, peer);
    payer = access::Payer();  // its address pays for one connection, not for two
    if (const auto refused = next.take_connection(clock_.now())) {
      payer = access::Payer({}, {.limits = authenticator_.address_limits(), .account = peer.account});
      return std::unexpected(access::Refusal{.denial = Denial::blocked, .retry_after = refused->retry_after});
    }
    payer = std::move(next);
  } else if (caller->principal->name != before.name ||
             names_of(caller->principal->roles) != names_of(before.roles)) {
    return std::unexpected(access::Refusal{.denial = Denial::unknown});
  }
  return caller->principal;
}

RoleCells& AccessGate::cells(const access::Principal& principal) {
  const auto found = cells_of_.find(principal.label());
  return found == cells_of_.end() ? *cells_of_.at(kNoRole) : *found->second;
}

}  // namespace fanfare::gateway
