#pragma once
// Which connections a request asks for: filters, order and page, from the query of its URL.
//
//   ?network=main/1&agent=ethers*&sort=behind&limit=20
//
// A filter's text is compared as a whole, case-sensitively; `*` in it stands for any text.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "admin/model.h"
#include "admin/problem.h"

namespace fanfare::admin {

// Whether the whole text fits the pattern, in which `*` stands for any text, also none.
bool fits_pattern(std::string_view pattern, std::string_view text);

struct ConnectionQuery {
  static constexpr std::size_t kLimitDefault = 100;
  static constexpr std::size_t kLimitMax = 1000;
  static constexpr std::size_t kTextBytesMax = 256;  // of one filter
  static constexpr std::size_t kParametersMax = 32;

  // The order of the answer. A sorted one looks at every connection and has one page: the first `limit`.
  enum class Sort : std::uint8_t { none, behind, age, received, sent, subscriptions };

  // Where the next page begins.
  struct Cursor {
    std::size_t loop = 0;
    std::size_t slot = 0;
    bool operator==(const Cursor&) const = default;
  };

  std::size_t limit = kLimitDefault;
  Cursor cursor = {};
  Sort sort = Sort::none;
  std::string text;     // `q`: part of anything that is shown, in any case of its ASCII letters
  std::string kind;     // the rest: empty fits everything
  std::string address;  // without its port, or with it
  std::string agent;
  std::string principal;
  std::string service;
  std::string project;
  std::string network;
  std::string stream;  // one of the subscriptions' topics
  std::string room;
  std::uint64_t behind_min = 0;  // bytes
  std::uint64_t age_min_s = 0;

  // Errors name the parameter.
  static std::expected<ConnectionQuery, Problem> parse(std::string_view query);

  bool fits(const ConnectionInfo& connection) const;
  // Of the order: the greatest comes first.
  double rank(const ConnectionInfo& connection) const;
  // Whether something is compared that only SessionData::describe() knows.
  bool needs_description() const;
};

std::string to_string(const ConnectionQuery::Cursor& cursor);

}  // namespace fanfare::admin
