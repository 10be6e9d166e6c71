#include "relay/link_problem.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "relay/names.h"

namespace fanfare::relay {
namespace {

using Kind = LinkProblem::Kind;

struct Meaning {
  std::string_view part;  // of OpenSSL's words
  std::string_view what;
  std::string_view advice;
};

// The first one that fits. Alerts are the broker's view of this instance's certificate.
constexpr std::array kTlsMeanings = {
    Meaning{.part = "alert",
            .what = "the broker refused the certificate of this instance",
            .advice = "check certificateFile and keyFile"},
    Meaning{.part = "ostname mismatch",
            .what = "the broker's certificate is for another host",
            .advice = "set expectedHost to a name in it"},
    Meaning{.part = "IP address mismatch",
            .what = "the broker's certificate is for another host",
            .advice = "set expectedHost to a name in it"},
    Meaning{.part = "has expired", .what = "the broker's certificate has expired", .advice = "renew it"},
    Meaning{.part = "not yet valid",
            .what = "the broker's certificate is not valid yet",
            .advice = "check the clocks of both machines"},
    Meaning{.part = "issuer",
            .what = "the broker's certificate is from an unknown CA",
            .advice = "name the file of its CA in caFile"},
    Meaning{.part = "self",
            .what = "the broker's certificate is from an unknown CA",
            .advice = "name the file of its CA in caFile"},
    Meaning{.part = "",
            .what = "the TLS handshake with the broker failed",
            .advice = "check that it speaks TLS, caFile and expectedHost"},
};

std::string servers_of(const NatsOptions& options) {
  std::string all;
  for (const std::string& server : options.servers) all += (all.empty() ? "" : ", ") + without_secret(server);
  return all;
}

std::string credentials_problem(const LinkProblem& problem, const NatsOptions& options) {
  std::string_view what = "the broker wants credentials";
  std::string who;
  std::string_view advice = "set user and password, token or credentialsFile";
  if (!options.user.empty()) {
    what = "the broker refused the user ";
    who = options.user;
    advice = "check user and password";
  } else if (!options.token.empty()) {
    what = "the broker refused the token";
    advice = "check token";
  } else if (!options.credentials_file.empty()) {
    what = "the broker refused the credentials in ";
    who = options.credentials_file;
    advice = "check that they are valid for it";
  } else if (std::ranges::any_of(options.servers, [](const auto& url) { return url.contains('@'); })) {
    what = "the broker refused the credentials in the URL";
    advice = "check servers";
  }
  return joined({what, who, " (", problem.words, "): ", advice});
}

}  // namespace

// The broker's words: Permissions Violation for Subscription to "SUBJECT" (sid "7").
std::string refused_subscription(const LinkProblem& problem) {
  constexpr std::string_view kBefore = "Subscription to \"";
  const std::string_view words = problem.words;
  const std::size_t begin =
      problem.kind == Kind::not_permitted ? words.find(kBefore) : std::string_view::npos;
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = words.substr(begin + kBefore.size());
  return std::string(rest.substr(0, rest.find('"')));
}

std::string sentence_for(const LinkProblem& problem, const NatsOptions& options) {
  switch (problem.kind) {
    case Kind::unreachable:
      return joined({"no broker can be reached at ", servers_of(options), " (", problem.words,
                     "): check that it runs, and servers"});
    case Kind::broken_off:
      return joined({"the broker ends the connection (", problem.words,
                     "): see its log; if it wants a certificate, set certificateFile and keyFile"});
    case Kind::credentials:
      return credentials_problem(problem, options);
    case Kind::certificate: {
      const Meaning& meaning = *std::ranges::find_if(
          kTlsMeanings, [&](const Meaning& each) { return problem.words.contains(each.part); });
      return joined({meaning.what, " (", problem.words, "): ", meaning.advice});
    }
    case Kind::needs_tls:
      return joined({"the broker accepts TLS only (", problem.words, "): set tls, or caFile"});
    case Kind::has_no_tls:
      return joined(
          {"the broker has no TLS (", problem.words, "): remove tls, or give the broker a certificate"});
    case Kind::not_permitted:
      return joined({"the broker does not permit what the relay needs (", problem.words,
                     "): extend the permissions of its user"});
    case Kind::no_jet_stream:
      return joined({"the broker stores nothing (", problem.words, "): start it with -js"});
  }
  return problem.words;
}

}  // namespace fanfare::relay
