#include "streams/mapping.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/decimal.h"
#include "base/hex.h"
#include "base/text.h"
#include "jsonrpc/value.h"

namespace fanfare::streams {
namespace {

std::unexpected<std::string> unmapped(const FieldSpec& field, std::string_view what, std::string_view where) {
  return std::unexpected(joined({field.name, ": ", what, " ", where.empty() ? "the result" : where}));
}

// A quantity may be larger than 64 bits: it is then rounded to a double.
std::optional<Json> hex_number(std::string_view digits) {
  if (digits.empty() || digits.size() > 64) return std::nullopt;
  std::uint64_t whole = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), whole, 16);
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc()) return Json::of(whole);
  double value = 0;
  for (const char digit : digits) value = value * 16 + hex_digit(digit);
  return Json::of(value);
}

bool is_number_text(std::string_view text) {
  return jsonrpc::kind_of(text) == jsonrpc::Kind::number && jsonrpc::is_valid_json(text) && text.back() > ' ';
}

double rounded(double value, unsigned decimals) {
  const double factor = std::pow(10.0, decimals);
  const double scaled = std::round(value * factor) / factor;
  return std::isfinite(scaled) ? scaled : value;
}

std::size_t entries_of(const Json& value) {
  return value.is(Json::Kind::array) ? value.items.size() : value.members.size();
}

}  // namespace

std::optional<Json> as_number(const Json& value) {
  if (value.is(Json::Kind::number)) return value;
  if (!value.is(Json::Kind::string)) return std::nullopt;
  const std::string_view text = value.text;
  if (text.starts_with("0x") || text.starts_with("0X")) return hex_number(text.substr(2));
  if (!is_number_text(text)) return std::nullopt;
  Json number;
  number.kind = Json::Kind::number;
  number.text = text;
  return number;
}

Mapping::Mapping(const StreamSpec& spec) : spec_(spec), fields_(compile(spec.fields)) {}

std::vector<Mapping::Field> Mapping::compile(const std::vector<FieldSpec>& specs) {
  std::vector<Field> fields;
  for (const FieldSpec& spec : specs) {
    Field& field = fields.emplace_back();
    field.spec = &spec;
    field.pointer = JsonPointer::parse(spec.pointer).value_or(JsonPointer());
    if (spec.minus) field.minus = JsonPointer::parse(*spec.minus).value_or(JsonPointer());
    field.fields = compile(spec.fields);
  }
  return fields;
}

std::expected<Json, std::string> Mapping::map(const Json& document, Instant at) {
  at_ = at;
  new_samples_.clear();
  auto value = map_all(fields_, document);
  // After a failure the differences go on from the last good poll.
  if (!value) return value;
  samples_.swap(new_samples_);
  count_sizes(*value);
  return value;
}

void Mapping::count_sizes(Json& value) const {
  for (const FieldSpec& field : spec_.fields) {
    if (field.kind != FieldSpec::Kind::size) continue;
    const Json* const list = value.find(field.of);
    value.set(field.name, Json::of(static_cast<std::uint64_t>(list == nullptr ? 0 : entries_of(*list))));
  }
}

Mapping::Mapped Mapping::map_all(const std::vector<Field>& fields, const Json& document) {
  Json value = Json::object();
  for (const Field& field : fields) {
    auto mapped = map_one(field, document);
    if (!mapped) return mapped;
    value.members.push_back({.name = field.spec->name, .value = *std::move(mapped)});
  }
  return value;
}

Mapping::Mapped Mapping::map_one(const Field& field, const Json& document) {
  const FieldSpec& spec = *field.spec;
  switch (spec.kind) {
    case FieldSpec::Kind::constant:
      return spec.constant;
    case FieldSpec::Kind::size:
      return Json::of(std::uint64_t{0});
    case FieldSpec::Kind::object:
      return map_all(field.fields, document);
    case FieldSpec::Kind::pointer:
    case FieldSpec::Kind::count:
    case FieldSpec::Kind::list:
      break;
  }
  const Json* const found = field.pointer.find(document);
  if (found == nullptr) {
    if (spec.fallback) return *spec.fallback;
    return unmapped(spec, "there is nothing at", spec.pointer);
  }
  if (spec.kind == FieldSpec::Kind::count) return map_count(field, *found, document);
  if (spec.kind == FieldSpec::Kind::list) return map_list(field, *found);
  return map_value(field, *found, document);
}

Mapping::Mapped Mapping::map_value(const Field& field, const Json& found, const Json& document) {
  const FieldSpec& spec = *field.spec;
  if (found.is(Json::Kind::null) && spec.fallback) return *spec.fallback;
  if (spec.is_arithmetic()) {
    const auto number = as_number(found);
    if (!number) return unmapped(spec, "there is no number at", spec.pointer);
    return calculate(field, double_of(number->text), document);
  }
  switch (spec.as) {
    case FieldSpec::As::json:
      return found;
    case FieldSpec::As::number:
      if (auto number = as_number(found)) return *std::move(number);
      return unmapped(spec, "there is no number at", spec.pointer);
    case FieldSpec::As::text:
      if (found.is(Json::Kind::string) || found.is(Json::Kind::number))
        return Json::of(std::string_view(found.text));
      return unmapped(spec, "there is no text at", spec.pointer);
  }
  return found;
}

Mapping::Mapped Mapping::map_count(const Field& field, const Json& found, const Json& document) {
  const FieldSpec& spec = *field.spec;
  if (!found.is(Json::Kind::array) && !found.is(Json::Kind::object)) {
    return unmapped(spec, "there is nothing to count at", spec.pointer);
  }
  if (spec.is_arithmetic()) return calculate(field, static_cast<double>(entries_of(found)), document);
  return Json::of(static_cast<std::uint64_t>(entries_of(found)));
}

// Some nodes leave out an empty list, or send null.
Mapping::Mapped Mapping::map_list(const Field& field, const Json& found) {
  const FieldSpec& spec = *field.spec;
  if (found.is(Json::Kind::null) && spec.fallback) return *spec.fallback;
  if (!found.is(Json::Kind::array)) return unmapped(spec, "there is no list at", spec.pointer);
  Json list = Json::array();
  list.items.reserve(found.items.size());
  for (const Json& element : found.items) {
    auto item = map_all(field.fields, element);
    if (!item) return std::unexpected(joined({spec.name, ".", item.error()}));
    list.items.push_back(*std::move(item));
  }
  return list;
}

Mapping::Mapped Mapping::calculate(const Field& field, double number, const Json& document) {
  const FieldSpec& spec = *field.spec;
  if (spec.minus) {
    const Json* const other = field.minus.find(document);
    const auto subtracted = other == nullptr ? std::nullopt : as_number(*other);
    if (!subtracted) return unmapped(spec, "there is no number at", *spec.minus);
    number -= double_of(subtracted->text);
  }
  if (spec.per_second) {
    new_samples_[&spec] = {.value = number, .at = at_};
    const auto before = samples_.find(&spec);
    // A counter that went back began again: its node restarted.
    if (before == samples_.end() || before->second.at >= at_ || number < before->second.value) {
      return spec.fallback.value_or(Json());
    }
    const std::chrono::duration<double> seconds = at_ - before->second.at;
    number = (number - before->second.value) / seconds.count();
  }
  number = number * spec.scale + spec.add;
  if (spec.min) number = std::max(number, *spec.min);
  if (spec.max) number = std::min(number, *spec.max);
  if (spec.decimals) number = rounded(number, *spec.decimals);
  return Json::of(number);
}

}  // namespace fanfare::streams
