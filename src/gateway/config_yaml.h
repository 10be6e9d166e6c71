#pragma once
// A YAML file as a plain tree in which every node knows its position, for error messages.
//
// Supports only what a configuration file needs: one document of maps, sequences and scalars. Anchors,
// aliases and tags are errors: they let a small file become a huge or recursive one. Size, nesting and bytes
// are limited before the YAML library sees the text, because it looks ahead without limit and recurses.

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::gateway {

// Counted from 1, in bytes along the line. Zero: the file as a whole.
struct Location {
  int line = 0;
  int column = 0;

  auto operator<=>(const Location&) const = default;
};

// The first problem: "what is wrong (the offending value), what was expected". Values that may be secrets are not shown, and
// neither is a text where a map or a list belongs.
struct Diagnostic {
  Location location;
  std::string message;
};

inline constexpr std::size_t kYamlBytesMax = std::size_t{1} << 20;
inline constexpr int kYamlDepthMax = 32;

struct YamlEntry;

struct YamlNode {
  enum class Kind { null, scalar, sequence, map };

  Kind kind = Kind::null;
  Location location;               // a null inside a map has the position of its key
  std::string text;                // of a scalar
  bool quoted = false;             // a scalar in quotes or a block scalar: always text, never a number
  std::vector<YamlNode> items;     // of a sequence
  std::vector<YamlEntry> entries;  // of a map, in the order of the file; keys are unique
};

struct YamlEntry {
  std::string key;
  Location key_location;
  YamlNode value;
};

// The tree owns its text. Never throws; terminates for any input.
std::expected<YamlNode, Diagnostic> parse_yaml(std::string_view text);

// A map's key for a message, in quotes after a blank. Empty if it may be a secret in the wrong place: longer than 15 bytes,
// or with other characters than letters, '-' and '_'.
std::string key_for_message(std::string_view key);
// `text` made safe for a message: control bytes, quotes and backslashes escaped, truncated after 60 bytes.
std::string escaped_for_message(std::string_view text);
// Like escaped_for_message(), in quotes.
std::string quoted_for_message(std::string_view text);

}  // namespace fanfare::gateway
