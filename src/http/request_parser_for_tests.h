#pragma once
// Shared by the request parser's tests: everything the parser produces from a text, however it is split.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "http/request_parser.h"

namespace fanfare::http::request_tests {

// A request that owns its strings.
struct Copy {
  std::string method, target, path, query, body, headers;
  int version_minor = 1;
  bool keep_alive = true;
  bool upgrade = false;
  bool operator==(const Copy&) const = default;
};

inline Copy copy(const Request& request) {
  Copy made{.method = std::string(request.method),
            .target = std::string(request.target),
            .path = std::string(request.path),
            .query = std::string(request.query),
            .body = std::string(as_text(request.body)),
            .version_minor = request.version_minor,
            .keep_alive = request.keep_alive,
            .upgrade = request.upgrade};
  for (const HeaderField& field : request.headers) {
    made.headers.append(field.name).append("=").append(field.value).append(";");
  }
  return made;
}

// Everything a parser produces from the text: its requests, its error's status (0: none), the input left
// over.
struct Outcome {
  std::vector<Copy> requests;
  int status = 0;
  std::string reason;
  bool operator==(const Outcome&) const = default;
};

// Feeds pieces whose sizes `piece` returns.
template <typename Piece>
Outcome fed(std::string_view text, RequestLimits limits, Piece piece) {
  RequestParser parser(limits);
  Outcome outcome;
  while (!text.empty()) {
    const std::string part(text.substr(0, piece()));  // its own memory, so that views cannot look ahead
    text.remove_prefix(part.size());
    Bytes input = as_bytes(part);
    while (true) {
      const auto next = parser.next(input);
      if (!next) {
        outcome.status = next.error().status;
        outcome.reason = next.error().reason;
        return outcome;
      }
      if (!*next) {
        EXPECT_TRUE(input.empty());
        break;
      }
      outcome.requests.push_back(copy(**next));
    }
  }
  return outcome;
}

// The result for the text, which must not depend on how it is split.
inline Outcome parsed(std::string_view text, RequestLimits limits = {}) {
  const Outcome whole = fed(text, limits, [&] { return text.size(); });
  EXPECT_EQ(whole, fed(text, limits, [] { return 1U; })) << text;
  SeededRandom random(1);
  for (int run = 0; run < 10; ++run) {
    EXPECT_EQ(whole, fed(text, limits, [&] { return 1 + random.below(20); })) << text;
  }
  return whole;
}

inline int refused(std::string_view text, RequestLimits limits = {}) {
  const Outcome outcome = parsed(text, limits);
  EXPECT_TRUE(outcome.requests.empty()) << text;
  return outcome.status;
}

// The status for a request with this line among its headers.
inline int with_header(std::string_view line) {
  return refused("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(line) + "\r\n\r\n");
}

}  // namespace fanfare::http::request_tests
