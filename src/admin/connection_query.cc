#include "admin/connection_query.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "http/target.h"

namespace fanfare::admin {
namespace {

using Sort = ConnectionQuery::Sort;

constexpr std::array<std::pair<std::string_view, Sort>, 5> kSorts{{{"behind", Sort::behind},
                                                                   {"age", Sort::age},
                                                                   {"received", Sort::received},
                                                                   {"sent", Sort::sent},
                                                                   {"subscriptions", Sort::subscriptions}}};

struct TextFilter {
  std::string_view name;
  std::string ConnectionQuery::* field;
};
constexpr std::array<TextFilter, 10> kTextFilters{{{"q", &ConnectionQuery::text},
                                                   {"kind", &ConnectionQuery::kind},
                                                   {"address", &ConnectionQuery::address},
                                                   {"agent", &ConnectionQuery::agent},
                                                   {"principal", &ConnectionQuery::principal},
                                                   {"service", &ConnectionQuery::service},
                                                   {"project", &ConnectionQuery::project},
                                                   {"network", &ConnectionQuery::network},
                                                   {"stream", &ConnectionQuery::stream},
                                                   {"room", &ConnectionQuery::room}}};

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<ConnectionQuery::Cursor> cursor_of(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto loop = number_of(text.substr(0, dot));
  const auto slot = number_of(text.substr(dot + 1));
  if (!loop || !slot) return std::nullopt;
  return ConnectionQuery::Cursor{.loop = *loop, .slot = *slot};
}

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

// With a star in it, the part is a pattern.
bool contains(std::string_view text, std::string_view part) {
  if (part.contains('*')) {
    std::string pattern = "*" + std::string(part) + "*";
    std::string lowered(text);
    std::ranges::transform(pattern, pattern.begin(), lower);
    std::ranges::transform(lowered, lowered.begin(), lower);
    return fits_pattern(pattern, lowered);
  }
  return !std::ranges::search(text, part, [](char a, char b) { return lower(a) == lower(b); }).empty() ||
         part.empty();
}

bool fits_filter(std::string_view filter, std::string_view text) {
  return filter.empty() || fits_pattern(filter, text);
}

bool fits_address(std::string_view filter, std::string_view address) {
  if (filter.empty() || fits_pattern(filter, address)) return true;
  std::string_view host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return fits_pattern(filter, host);
}

Problem bad(std::string_view parameter, std::string_view value, std::string detail) {
  return {.status = 400,
          .detail = std::string(parameter) + " " + std::move(detail),
          .parameter = std::string(parameter),
          .value = std::string(value)};
}

std::optional<Problem> read_number(const http::Parameter& parameter, std::uint64_t least, std::uint64_t most,
                                   std::uint64_t& out) {
  const auto number = number_of(parameter.value);
  if (!number || *number < least || *number > most) {
    return bad(parameter.name, parameter.value,
               "must be a number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  out = *number;
  return std::nullopt;
}

std::optional<Problem> read_sort(const http::Parameter& parameter, Sort& out) {
  const auto found = std::ranges::find(kSorts, parameter.value, &std::pair<std::string_view, Sort>::first);
  if (found == kSorts.end())
    return bad(parameter.name, parameter.value, "must be behind, age, received, sent or subscriptions");
  out = found->second;
  return std::nullopt;
}

std::optional<Problem> read_parameter(const http::Parameter& parameter, ConnectionQuery& out) {
  const auto filter = std::ranges::find(kTextFilters, parameter.name, &TextFilter::name);
  if (filter != kTextFilters.end()) {
    if (parameter.value.size() > ConnectionQuery::kTextBytesMax) {
      return bad(parameter.name, parameter.value,
                 "must have at most " + std::to_string(ConnectionQuery::kTextBytesMax) + " bytes");
    }
    out.*(filter->field) = parameter.value;
    return std::nullopt;
  }
  constexpr std::uint64_t kAnything = UINT64_MAX;
  if (parameter.name == "limit") {
    std::uint64_t limit = 0;
    auto problem = read_number(parameter, 1, ConnectionQuery::kLimitMax, limit);
    out.limit = limit;
    return problem;
  }
  if (parameter.name == "behind_min") return read_number(parameter, 0, kAnything, out.behind_min);
  if (parameter.name == "age_min") return read_number(parameter, 0, kAnything, out.age_min_s);
  if (parameter.name == "sort") return read_sort(parameter, out.sort);
  if (parameter.name == "cursor") {
    const auto cursor = cursor_of(parameter.value);
    if (!cursor) return bad(parameter.name, parameter.value, "must be `next` of the page before");
    out.cursor = *cursor;
    return std::nullopt;
  }
  return bad(parameter.name, parameter.value, "is not a parameter of this list");
}

}  // namespace

// Remembers the last `*` and tries it with one more character, so the time is at most the product of the lengths.
bool fits_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::optional<std::size_t> star;
  std::size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star) {
      p = *star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::expected<ConnectionQuery, Problem> ConnectionQuery::parse(std::string_view query) {
  ConnectionQuery wanted;
  const auto parameters = http::query_parameters(query);
  if (parameters.size() > kParametersMax) {
    return std::unexpected(
        Problem{.status = 400, .detail = "at most " + std::to_string(kParametersMax) + " parameters"});
  }
  for (const http::Parameter& parameter : parameters) {
    if (auto problem = read_parameter(parameter, wanted)) return std::unexpected(*std::move(problem));
  }
  if (wanted.sort != Sort::none && wanted.cursor != Cursor{}) {
    return std::unexpected(bad("cursor", to_string(wanted.cursor), "has no meaning together with sort"));
  }
  return wanted;
}

bool ConnectionQuery::needs_description() const {
  return !text.empty() || !principal.empty() || !service.empty() || !project.empty() || !network.empty() ||
         !stream.empty() || !room.empty() || sort == Sort::subscriptions || sort == Sort::behind ||
         behind_min > 0;
}

bool ConnectionQuery::fits(const ConnectionInfo& connection) const {
  if (connection.bytes_behind < behind_min || connection.age_s < static_cast<double>(age_min_s)) return false;
  if (!fits_filter(kind, connection.kind) || !fits_address(address, connection.address) ||
      !fits_filter(agent, connection.user_agent) || !fits_filter(principal, connection.principal) ||
      !fits_filter(service, connection.service) || !fits_filter(project, connection.project) ||
      !fits_filter(network, connection.network) || !fits_filter(room, connection.room)) {
    return false;
  }
  if (!stream.empty() && (connection.service != "streams" ||
                          std::ranges::none_of(connection.topics, [this](const std::string& topic) {
                            return fits_pattern(stream, topic);
                          }))) {
    return false;
  }
  if (text.empty()) return true;
  for (const std::string* shown : {&connection.id, &connection.address, &connection.user_agent,
                                   &connection.principal, &connection.network, &connection.room}) {
    if (contains(*shown, text)) return true;
  }
  return std::ranges::any_of(connection.topics,
                             [this](const std::string& topic) { return contains(topic, text); });
}

double ConnectionQuery::rank(const ConnectionInfo& connection) const {
  switch (sort) {
    case Sort::none:
      return 0;
    case Sort::behind:
      return static_cast<double>(connection.bytes_behind);
    case Sort::age:
      return connection.age_s;
    case Sort::received:
      return static_cast<double>(connection.messages_received);
    case Sort::sent:
      return static_cast<double>(connection.messages_sent);
    case Sort::subscriptions:
      return static_cast<double>(connection.subscriptions);
  }
  return 0;
}

std::string to_string(const ConnectionQuery::Cursor& cursor) {
  return std::to_string(cursor.loop) + "." + std::to_string(cursor.slot);
}

}  // namespace fanfare::admin
