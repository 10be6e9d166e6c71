#include "gateway/config_yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace fanfare::gateway {
namespace {

constexpr std::size_t kMessageBytesMax = 60;

// Thrown through the YAML library, the only method to stop it early. Never leaves this file.
struct Stop {
  Diagnostic diagnostic;
};

Location location_of(const YAML::Mark& mark) {
  return {.line = mark.line + 1, .column = mark.column + 1};
}

// Whether the quoted scalar that begins at `begin` ends before the file does.
bool is_closed(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  for (std::size_t at = begin + 1; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      return true;  // in single quotes '' is a literal quote: its second half then counts as the end
    }
  }
  return false;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view source) : source_(source) {}

  std::optional<YamlNode> take_root() { return std::exchange(root_, std::nullopt); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add({.location = location_of(mark)});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Stop{{location_of(mark), "an alias (*name) is not supported, expected the value itself"}};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    refuse_open_quote(mark);
    add({.kind = YamlNode::Kind::scalar, .location = location_of(mark), .text = value, .quoted = tag == "!"});
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(YamlNode::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(YamlNode::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    std::optional<YamlEntry> pending;  // a map's key that waits for its value
    std::unordered_map<std::string, Location> seen;
  };

  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == 0) return;
    throw Stop{{location_of(mark), "an anchor (&name) is not supported, expected the value itself"}};
  }

  // The library reports the tag "?" for untagged values, and "!" for quoted ones.
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw Stop{{location_of(mark), "a tag (!name) is not supported, expected a plain value"}};
  }

  // After a line break, the library takes the end of the file for the closing quote.
  void refuse_open_quote(const YAML::Mark& mark) const {
    const auto begin = static_cast<std::size_t>(mark.pos);
    if (mark.pos < 0 || begin >= source_.size()) return;
    if (source_[begin] != '"' && source_[begin] != '\'') return;
    if (is_closed(source_, begin)) return;
    throw Stop{{location_of(mark), std::string("a quote (") + source_[begin] +
                                       ") is never closed, expected another one before the end of the file"}};
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (open_.size() >= static_cast<std::size_t>(kYamlDepthMax)) {
      throw Stop{{location_of(mark),
                  "nested too deeply, expected at most " + std::to_string(kYamlDepthMax) + " levels"}};
    }
    open_.push_back({.node = {.kind = kind, .location = location_of(mark)}});
  }

  void close() {
    YamlNode done = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(done));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.pending) {
      if (node.kind == YamlNode::Kind::null) node.location = parent.pending->key_location;
      parent.pending->value = std::move(node);
      parent.node.entries.push_back(*std::exchange(parent.pending, std::nullopt));
    } else {
      begin_entry(parent, std::move(node));
    }
  }

  static void begin_entry(Open& parent, YamlNode key) {
    if (key.kind != YamlNode::Kind::scalar) {
      throw Stop{{key.location, "a key is not plain text, expected a name followed by a colon"}};
    }
    const auto [before, fresh] = parent.seen.emplace(key.text, key.location);
    if (!fresh) {
      throw Stop{{key.location, "duplicate key" + key_for_message(key.text) +
                                    ", expected it once (it already stands in line " +
                                    std::to_string(before->second.line) + ")"}};
    }
    parent.pending = YamlEntry{.key = std::move(key.text), .key_location = key.location, .value = {}};
  }

  std::string_view source_;
  std::vector<Open> open_;
  std::optional<YamlNode> root_;
};

// Input that the library must not see: too large, too deep, or bytes that it takes for its own end-of-file.
std::optional<Diagnostic> find_unparsable(std::string_view text) {
  if (text.size() > kYamlBytesMax) {
    return Diagnostic{{},
                      "the file is too large (" + std::to_string(text.size()) + " bytes), expected at most " +
                          std::to_string(kYamlBytesMax)};
  }
  Location here{.line = 1, .column = 1};
  // Brackets in comments and quotes count too: no real file has this many unclosed ones.
  int open_brackets = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < ' ' && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) {
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "0x%02x", byte);
      return Diagnostic{here, std::string("a control byte (") + hex.data() + "), expected UTF-8 text"};
    }
    if (c == '[' || c == '{') ++open_brackets;
    if ((c == ']' || c == '}') && open_brackets > 0) --open_brackets;
    if (open_brackets > kYamlDepthMax) {
      return Diagnostic{
          here, "nested too deeply, expected at most " + std::to_string(kYamlDepthMax) + " open brackets"};
    }
    ++here.column;
    if (c == '\n') here = {.line = here.line + 1, .column = 1};
  }
  return std::nullopt;
}

// The first line with a tab in its indentation; the library would report it later and as another error.
std::optional<Location> find_tab_indentation(std::string_view text, int last_line) {
  for (int line = 1; line <= last_line && !text.empty(); ++line) {
    const std::size_t indentation = std::min(text.find_first_not_of(" \t"), text.size());
    const std::size_t tab = text.substr(0, indentation).find('\t');
    if (tab != std::string_view::npos) return Location{.line = line, .column = static_cast<int>(tab) + 1};
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

Diagnostic diagnostic_of(const YAML::Exception& error, std::string_view text) {
  const Location location = error.mark.is_null() ? Location{} : location_of(error.mark);
  if (const auto tab = find_tab_indentation(text, location.line)) {
    return {*tab, "not valid YAML: a tab in the indentation, expected spaces"};
  }
  // After a colon the library cites the text, which may be a secret.
  const std::string_view what = std::string_view(error.msg).substr(0, error.msg.find(": "));
  return {location, "not valid YAML: " + escaped_for_message(what) +
                        ", expected closed quotes and brackets and even indentation"};
}

}  // namespace

std::expected<YamlNode, Diagnostic> parse_yaml(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (auto diagnostic = find_unparsable(text)) return std::unexpected(*std::move(diagnostic));
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(text);
    if (!parser.HandleNextDocument(builder)) return YamlNode{};
    YamlNode root = builder.take_root().value_or(YamlNode{});
    TreeBuilder second(text);
    if (parser.HandleNextDocument(second)) {
      const auto extra = second.take_root();
      return std::unexpected(Diagnostic{extra ? extra->location : Location{},
                                        "a second document begins here, expected one document in the file"});
    }
    return root;
  } catch (Stop& stop) {
    return std::unexpected(std::move(stop.diagnostic));
  } catch (const YAML::Exception& error) {
    return std::unexpected(diagnostic_of(error, text));
  }
}

std::string escaped_for_message(std::string_view text) {
  std::string escaped;
  for (const char c : text.substr(0, kMessageBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      escaped += '\\';
      escaped += c;
    } else if (byte < ' ' || byte == 0x7f) {
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", byte);
      escaped += hex.data();
    } else {
      escaped += c;
    }
  }
  if (text.size() > kMessageBytesMax) escaped += "...";
  return escaped;
}

std::string key_for_message(std::string_view key) {
  constexpr std::size_t kKeyBytesMax = 15;  // an API key has at least 16
  const bool is_shown = key.size() <= kKeyBytesMax && std::ranges::all_of(key, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
                        });
  return is_shown ? " " + quoted_for_message(key) : "";
}

std::string quoted_for_message(std::string_view text) {
  return '"' + escaped_for_message(text) + '"';
}

}  // namespace fanfare::gateway
