#include "gateway/access_gate.h"

#include <algorithm>
#include <utility>

#include "gateway/admitted_caller.h"
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

std::optional<access::ClientCertificate> shown(const std::optional<net::PeerCertificate>& certificate) {
  if (!certificate) return std::nullopt;
  return access::ClientCertificate{.fingerprint = certificate->sha256,
                                   .subject = certificate->subject,
                                   .valid_until = certificate->valid_until};
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

AccessGate::Rules::Rules(AccessPolicy its_policy, const Rules* before)
    : policy(std::move(its_policy)),
      authenticator(make_authenticator(*policy.plan)),
      costs(policy.plan->costs) {
  if (before != nullptr) {
    for (const auto& one : before->cells) add_cells(one);
  }
  for (const access::RolePlan& one : policy.plan->roles) {
    if (!cells_of.contains(one.role.name)) add_cells(std::make_shared<RoleCells>(one.role.name));
  }
  if (before == nullptr) add_cells(std::make_shared<RoleCells>(std::string(kNoRole)));
}

void AccessGate::Rules::add_cells(std::shared_ptr<RoleCells> one) {
  cells_of[one->role] = one.get();
  cells.push_back(std::move(one));
}

AccessGate::AccessGate(AccessPolicy policy, Clock& clock)
    : clock_(clock),
      owned_(std::make_shared<const Rules>(std::move(policy), nullptr)),
      rules_(owned_.get()),
      identities_(rules().policy.plan->accounts_max),
      addresses_(rules().policy.plan->accounts_max) {}

std::shared_ptr<const void> AccessGate::replace(AccessPolicy policy) {
  auto next = std::make_shared<const Rules>(std::move(policy), owned_.get());
  rules_.store(next.get(), std::memory_order_release);
  return std::exchange(owned_, std::move(next));
}

std::expected<access::Caller, Denial> AccessGate::check_again(const access::Principal& before,
                                                              std::string_view peer) const {
  return rules().authenticator.check_again(before, access::IpAddress::of_peer(peer));
}

void AccessGate::set_limits(access::Payer& payer, const access::Caller& caller) const {
  payer.set_limits(caller.limits, rules().authenticator.address_limits());
}

AccessGate::Peer AccessGate::peer_of(std::string_view text) {
  Peer peer{.address = access::IpAddress::of_peer(text), .account = nullptr};
  peer.account = addresses_.find(access::payer_of(peer.address), clock_.now());
  return peer;
}

access::Payer::Share AccessGate::account_for(const access::Caller& caller, const Peer& peer) {
  // Names have no blanks, so these accounts are of nobody else.
  std::string identity = caller.principal->name;
  if (caller.principal->is_shared()) identity += " " + access::payer_of(peer.address);
  return {.limits = caller.limits, .account = identities_.find(identity, clock_.now())};
}

access::Payer AccessGate::payer_for(const Rules& rules, const access::Caller& caller, const Peer& peer) {
  return {account_for(caller, peer),
          {.limits = rules.authenticator.address_limits(), .account = peer.account}};
}

void AccessGate::note(const access::Refusal& refusal, std::string_view peer) {
  denials_[refusal.denial].add();
  denied_.write({{"reason", access::name_of(refusal.denial)}, {"peer", peer}});
}

namespace {

// Over every transport.
rpc::Refusal refusal_to(const access::Refusal& refusal) {
  const std::string text(access::text_of(refusal.denial));
  if (refusal.denial != Denial::blocked) return {.code = rpc::kNotPermitted, .message = text};
  rpc::Refusal limit = rpc::limit_reached("failed attempts", refusal.retry_after);
  limit.message = text;
  return limit;
}

session::HttpResponse answer_to(const access::Refusal& refusal, const access::AccessPlan& plan,
                                bool is_foreign) {
  if (refusal.denial == Denial::blocked) return error_answer(429, refusal_to(refusal));
  if (is_foreign) {
    return error_answer(
        403, {.code = rpc::kNotPermitted, .message = "this address is not in access.allowedAddresses"});
  }
  session::HttpResponse answer = error_answer(401, refusal_to(refusal));
  // RFC9110§11.6.1. Basic makes a browser ask its user, so it is offered only if there are users.
  answer.headers.push_back({.name = "WWW-Authenticate", .value = "Bearer"});
  if (!plan.users.empty()) {
    answer.headers.push_back(
        {.name = "WWW-Authenticate", .value = R"(Basic realm="jsonrpc", charset="UTF-8")"});
  }
  return answer;
}

}  // namespace

std::expected<std::shared_ptr<server::Admitted>, session::HttpResponse> AccessGate::admit(
    const session::HttpConnection& session, const http::Request& request,
    const server::PathPattern::Match& match, bool is_upgrade) {
  const Rules& rules = this->rules();
  const std::string name = session.peer();
  const Peer peer = peer_of(name);
  const auto credentials = access::find_credentials(
      {.headers = request.headers, .query = request.query, .path_key = key_in(match)});
  const auto certificate = session.peer_certificate();
  const auto identity = shown(certificate);
  auto caller =
      rules.authenticator.authenticate(credentials, {.address = peer.address,
                                                     .account = *peer.account,
                                                     .now = clock_.now(),
                                                     .wall_now = clock_.wall_now(),
                                                     .certificate = identity ? &*identity : nullptr});
  if (!caller && caller.error().denial == Denial::missing && is_upgrade &&
      rules.policy.first_message_within > Duration::zero()) {
    access::Principal waiting{.name = std::string(kUnauthenticated),
                              .roles = {},
                              .expires_at = clock_.wall_now() + rules.policy.first_message_within};
    caller = access::Caller{.principal = std::make_shared<const access::Principal>(std::move(waiting)),
                            .limits = std::make_shared<const access::Limits>()};
  }
  if (!caller) {
    note(caller.error(), name);
    const bool is_foreign = !access::is_in(rules.policy.plan->allowed_addresses, peer.address);
    return std::unexpected(answer_to(caller.error(), *rules.policy.plan, is_foreign));
  }
  auto payer = std::make_shared<access::Payer>(payer_for(rules, *caller, peer));
  if (is_upgrade) {
    if (const auto refused = payer->take_connection(clock_.now())) {
      cells(*caller->principal).refused[AccessRefusal::limit].add();
      return std::unexpected(
          error_answer(429, rpc::limit_reached(access::name_of(refused->limit), refused->retry_after)));
    }
  }
  return std::make_shared<AdmittedCaller>(caller->principal, std::move(payer));
}

void AccessGate::note_silence(std::string_view peer) {
  note({.denial = Denial::missing}, peer);
}

std::expected<access::PrincipalPtr, rpc::Refusal> AccessGate::renew(std::string_view token,
                                                                    std::string_view peer_text,
                                                                    const access::Principal& before,
                                                                    access::Payer& payer) {
  const Rules& rules = this->rules();
  const Peer peer = peer_of(peer_text);
  std::expected<access::Credentials, Denial> credentials = std::unexpected(Denial::malformed);
  if (!token.empty() && token.size() <= access::kSecretBytesMax) {
    credentials = access::Credentials::token(std::string(token));
  }
  auto caller = rules.authenticator.authenticate(credentials, {.address = peer.address,
                                                               .account = *peer.account,
                                                               .now = clock_.now(),
                                                               .wall_now = clock_.wall_now()});
  const auto refuse = [&](const access::Refusal& refusal) {
    note(refusal, peer_text);
    return std::unexpected(refusal_to(refusal));
  };
  if (!caller) return refuse(caller.error());
  const bool is_first = rules.policy.first_message_within > Duration::zero() &&
                        before.origin.kind == access::CredentialOrigin::Kind::anonymous;
  if (before.name == kUnauthenticated || is_first) {
    auto identity = account_for(*caller, peer);
    if (const auto refused = payer.change_identity(std::move(identity), clock_.now())) {
      cells(*caller->principal).refused[AccessRefusal::limit].add();
      return std::unexpected(rpc::limit_reached(access::name_of(refused->limit), refused->retry_after));
    }
  } else if (caller->principal->is_shared() || caller->principal->name != before.name ||
             names_of(caller->principal->roles) != names_of(before.roles)) {
    return refuse({.denial = Denial::other_grant});
  }
  return caller->principal;
}

RoleCells& AccessGate::cells(const access::Principal& principal) {
  const Rules& rules = this->rules();
  const auto found = rules.cells_of.find(principal.label());
  return found == rules.cells_of.end() ? *rules.cells_of.at(kNoRole) : *found->second;
}

}  // namespace fanfare::gateway
