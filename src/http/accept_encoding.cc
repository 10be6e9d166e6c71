#include "http/accept_encoding.h"

#include <optional>
#include <string>

namespace fanfare::http {
namespace {

constexpr int kWeightMax = 1000;  // thousandths

// RFC9110§12.4.2: "0", "0.5", "0.123", "1", "1.000". Empty: the text is not a weight.
std::optional<int> parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int weight = (text[0] - '0') * kWeightMax;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return std::nullopt;
  int unit = kWeightMax / 10;
  for (const char digit : text.substr(2)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    weight += (digit - '0') * unit;
    unit /= 10;
  }
  if (weight > kWeightMax) return std::nullopt;
  return weight;
}

// Returns the text before the next `end`; removes it and the `end` from `text`.
std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return trim_space(taken);
}

// Zero: not acceptable. Empty: not mentioned.
struct Weights {
  std::optional<int> gzip;
  std::optional<int> deflate;
  std::optional<int> identity;
  std::optional<int> any;

  std::optional<int>* of(std::string_view coding) {
    // RFC9110§8.4.1.3: x-gzip is equivalent to gzip.
    if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip")) return &gzip;
    if (equals_ignoring_case(coding, "deflate")) return &deflate;
    if (equals_ignoring_case(coding, "identity")) return &identity;
    return coding == "*" ? &any : nullptr;
  }

  void read(std::string_view member) {
    std::optional<int>* const weight = of(take_until(member, ';'));
    if (weight == nullptr) return;
    *weight = kWeightMax;
    if (member.empty()) return;
    std::string_view value = trim_space(member);
    const std::string_view name = take_until(value, '=');
    *weight = equals_ignoring_case(name, "q") ? parse_weight(value).value_or(0) : 0;
  }
};

}  // namespace

std::string_view name_of(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::identity:
      return "identity";
    case ContentCoding::gzip:
      return "gzip";
    case ContentCoding::deflate:
      return "deflate";
  }
  return "identity";
}

AcceptedCoding accepted_coding(Headers headers) {
  Weights weights;
  for (const HeaderField& field : headers) {
    if (!equals_ignoring_case(field.name, "Accept-Encoding")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) weights.read(take_until(rest, ','));
  }
  const int gzip = weights.gzip.value_or(weights.any.value_or(0));
  const int deflate = weights.deflate.value_or(weights.any.value_or(0));
  const int best = gzip > deflate ? gzip : deflate;
  if (best == 0 || best < weights.identity.value_or(0)) return {};
  const bool identity_is_refused = weights.identity.value_or(weights.any.value_or(kWeightMax)) == 0;
  return {.best = gzip >= deflate ? ContentCoding::gzip : ContentCoding::deflate,
          .is_required = identity_is_refused};
}

}  // namespace fanfare::http
