#include "gateway/config_fields.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "gateway/duration.h"

namespace fanfare::gateway {
namespace {

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return "a value";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::map:
      return "a map";
  }
  return "";
}

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Levenshtein distance, ignoring case.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

std::string range_text(std::uint64_t min, std::uint64_t max) {
  return "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

}  // namespace

std::string_view nearest(std::string_view word, std::initializer_list<std::string_view> known) {
  // Longer than any misspelt key: not worth the quadratic comparison.
  if (word.size() > 64) return {};
  std::string_view best;
  std::size_t best_edits = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    const std::size_t edits = edits_between(word, candidate);
    if (edits < best_edits) {
      best = candidate;
      best_edits = edits;
    }
  }
  return best;
}

void Diagnostics::report(Location location, std::string message) {
  if (all_.size() < kDiagnosticsMax) all_.emplace(location, message);
  if (first_ && first_->location <= location) return;
  first_ = Diagnostic{location, std::move(message)};
}

std::vector<Diagnostic> Diagnostics::all() const {
  std::vector<Diagnostic> all;
  for (const auto& [location, message] : all_) all.push_back({location, message});
  return all;
}

MapFields::MapFields(const ReadContext& context, const YamlNode& node, std::string path,
                     std::initializer_list<std::string_view> known, Empty empty)
    : context_(context), node_(node), path_(std::move(path)) {
  const std::string where = path_.empty() ? "the file" : path_;
  if (node.kind == YamlNode::Kind::null && empty == Empty::allowed) return;
  if (node.kind != YamlNode::Kind::map) {
    usable_ = false;
    context_.diagnostics.report(node.location, where + " is " + std::string(kind_name(node)) +
                                                   ", expected a map with the keys " +
                                                   joined({known.begin(), known.size()}));
    return;
  }
  for (const YamlEntry& entry : node.entries) {
    if (std::ranges::find(known, std::string_view(entry.key)) != known.end()) continue;
    has_unknown_key_ = true;
    const std::string_view meant = nearest(entry.key, known);
    // A misspelt key is shown; anything else may be a secret that stands in the wrong place.
    std::string message = "unknown key";
    message += meant.empty() ? key_for_message(entry.key) : " " + quoted_for_message(entry.key);
    message += " in " + where;
    if (!meant.empty()) {
      message += " (did you mean \"" + std::string(meant) + "\"?)";
    }
    context_.diagnostics.report(entry.key_location,
                                message + ", expected one of " + joined({known.begin(), known.size()}));
  }
}

std::string MapFields::path_of(std::string_view key) const {
  if (path_.empty()) return std::string(key);
  return path_ + "." + std::string(key);
}

void MapFields::report(Location location, std::string_view key, std::string_view problem,
                       std::string_view value, std::string_view expected) const {
  std::string message = path_of(key);
  message += ' ';
  message += problem;
  if (!value.empty()) message += " (" + quoted_for_message(value) + ")";
  message += ", expected ";
  message += expected;
  context_.diagnostics.report(location, std::move(message));
}

const YamlNode* MapFields::find(std::string_view key) const {
  for (const YamlEntry& entry : node_.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

void MapFields::require(std::initializer_list<std::string_view> keys) const {
  if (!usable_ || has_unknown_key_) return;
  for (const std::string_view key : keys) {
    if (find(key) != nullptr) continue;
    context_.diagnostics.report(node_.location, (path_.empty() ? "the file" : path_) + " has no key \"" +
                                                    std::string(key) + "\", expected it to be given");
    return;
  }
}

std::optional<Scalar> MapFields::scalar(std::string_view key, std::string_view expected) const {
  const YamlNode* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind != YamlNode::Kind::scalar) {
    report(node->location, key,
           node->kind == YamlNode::Kind::null ? "has no value" : "is " + std::string(kind_name(*node)), "",
           expected);
    return std::nullopt;
  }
  auto expanded = expand_environment(node->text, context_.environment);
  if (!expanded) {
    context_.diagnostics.report(node->location, path_of(key) + " " + expanded.error());
    return std::nullopt;
  }
  // A variable is often written in quotes, but its value is still interpreted.
  return Scalar{.location = node->location,
                .text = std::move(expanded->text),
                .written = node->text,
                .is_text = node->quoted && !expanded->substituted};
}

bool MapFields::read(std::string_view key, bool& out) const {
  constexpr std::string_view kExpected = "true or false";
  const auto value = scalar(key, kExpected);
  if (!value) return false;
  if (value->is_text || (value->text != "true" && value->text != "false")) {
    report(value->location, key, value->is_text ? "is text in quotes" : "is not a truth value",
           value->written, kExpected);
    return false;
  }
  out = value->text == "true";
  return true;
}

bool MapFields::read(std::string_view key, std::string& out) const {
  constexpr std::string_view kExpected = "text";
  auto value = scalar(key, kExpected);
  if (!value) return false;
  if (value->text.empty()) {
    report(value->location, key, "is empty", value->written, kExpected);
    return false;
  }
  out = std::move(value->text);
  return true;
}

bool MapFields::read(std::string_view key, Duration& out, Duration min, Duration max,
                     std::string_view alternative) const {
  const std::string expected = std::string(alternative) + "a duration from " + format_duration(min) + " to " +
                               format_duration(max) + ", such as 500ms, 30s, 1m30s or 1h";
  const auto value = scalar(key, expected);
  if (!value) return false;
  const auto duration = parse_duration(value->text);
  if (!duration) {
    report(value->location, key, duration.error(), value->written, expected);
    return false;
  }
  if (*duration < min || *duration > max) {
    report(value->location, key, *duration < min ? "is too short" : "is too long", value->written, expected);
    return false;
  }
  out = *duration;
  return true;
}

bool MapFields::read_count(std::string_view key, std::uint64_t& out, std::uint64_t min,
                           std::uint64_t max) const {
  const auto value = scalar(key, range_text(min, max));
  if (!value) return false;
  if (value->is_text) {
    report(value->location, key, "is text in quotes", value->written, range_text(min, max));
    return false;
  }
  const std::string& text = value->text;
  const bool negative = text.starts_with('-');
  const char* begin = text.data() + (negative ? 1 : 0);
  const char* end = text.data() + text.size();
  std::uint64_t number = 0;
  const auto read = std::from_chars(begin, end, number);
  if (read.ptr != end || read.ec == std::errc::invalid_argument) {
    report(value->location, key, "is not a whole number", value->written, range_text(min, max));
    return false;
  }
  if (negative || read.ec != std::errc() || number < min || number > max) {
    report(value->location, key, "is out of range", value->written, range_text(min, max));
    return false;
  }
  out = number;
  return true;
}

std::optional<std::size_t> MapFields::read_word(std::string_view key,
                                                std::span<const std::string_view> words) const {
  const std::string expected = "one of " + joined(words);
  const auto value = scalar(key, expected);
  if (!value) return std::nullopt;
  const auto found = std::ranges::find(words, std::string_view(value->text));
  if (found == words.end()) {
    report(value->location, key, "has an unknown value", value->written, expected);
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - words.begin());
}

bool MapFields::read(std::string_view key, std::vector<std::string>& out, bool (*is_valid)(std::string_view),
                     std::string_view expected) const {
  const auto* const nodes = list(key, "a list, each entry " + std::string(expected));
  if (nodes == nullptr) return false;
  std::vector<std::string> texts;
  for (const YamlNode& node : *nodes) {
    const std::string name = std::string(key) + "[" + std::to_string(texts.size()) + "]";
    if (node.kind != YamlNode::Kind::scalar) {
      report(node.location, name, "is " + std::string(kind_name(node)), "", expected);
      return false;
    }
    auto expanded = expand_environment(node.text, context_.environment);
    if (!expanded) {
      context_.diagnostics.report(node.location, path_of(name) + " " + expanded.error());
      return false;
    }
    if (!is_valid(expanded->text)) {
      report(node.location, name, "is malformed", node.text, expected);
      return false;
    }
    texts.push_back(std::move(expanded->text));
  }
  out = std::move(texts);
  return true;
}

const std::vector<YamlNode>* MapFields::list(std::string_view key, std::string_view expected) const {
  const YamlNode* node = find(key);
  if (node == nullptr) return nullptr;
  if (node->kind != YamlNode::Kind::sequence) {
    report(node->location, key,
           node->kind == YamlNode::Kind::null ? "has no value" : "is " + std::string(kind_name(*node)), "",
           expected);
    return nullptr;
  }
  if (node->items.empty()) {
    report(node->location, key, "is an empty list", "", expected);
    return nullptr;
  }
  return &node->items;
}

}  // namespace fanfare::gateway
