#pragma once
// Reads the fields of one map of the configuration, each with its type and range, and rejects unknown and
// missing ones. Every problem goes to Diagnostics, which keeps the first one in file order, because people fix a
// file from the top.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "gateway/config_env.h"
#include "gateway/config_yaml.h"

namespace fanfare::gateway {

// Further problems of a file are not reported.
inline constexpr std::size_t kDiagnosticsMax = 100;

class Diagnostics {
 public:
  // One for each position, the first that is reported there; at most kDiagnosticsMax.
  void report(Location location, std::string message);
  // In the file.
  const std::optional<Diagnostic>& first() const { return first_; }
  // All of them, in the order of the file.
  std::vector<Diagnostic> all() const;

 private:
  std::optional<Diagnostic> first_;
  std::map<Location, std::string> all_;
};

struct ReadContext {
  const EnvironmentLookup& environment;
  Diagnostics& diagnostics;
};

// A scalar with its variables expanded.
struct Scalar {
  Location location;
  std::string text;
  std::string written;   // the text in the file: messages never show the value of a variable
  bool is_text = false;  // in quotes: not a number or a boolean
};

class MapFields {
 public:
  enum class Empty { allowed, refused };

  // `path` is the map's name in messages ("server.websocket"; empty for the whole file). Reports at once if
  // the node is not a map, and every key that is not in `known`. A null counts as an empty map if allowed.
  // The node and the context must outlive the fields.
  MapFields(const ReadContext& context, const YamlNode& node, std::string path,
            std::initializer_list<std::string_view> known, Empty empty = Empty::allowed);

  // Each leaves `out` unchanged if the key is absent or invalid; true if it was set.
  bool read(std::string_view key, bool& out) const;
  bool read(std::string_view key, std::string& out) const;  // not empty
  // `alternative`, for the error: what the caller reads by itself, such as "auto, or ".
  bool read(std::string_view key, Duration& out, Duration min, Duration max,
            std::string_view alternative = {}) const;
  template <std::unsigned_integral Number>
    requires(!std::same_as<Number, bool>)
  bool read(std::string_view key, Number& out, std::uint64_t min, std::uint64_t max) const {
    std::uint64_t value = 0;
    if (!read_count(key, value, min, max)) return false;
    out = static_cast<Number>(value);
    return true;
  }
  // Index of the word in `words`.
  std::optional<std::size_t> read_word(std::string_view key, std::span<const std::string_view> words) const;
  // A list of texts, each accepted by `is_valid`; reports the first that is not.
  bool read(std::string_view key, std::vector<std::string>& out, bool (*is_valid)(std::string_view),
            std::string_view expected) const;
  // Any scalar with its variables expanded; reports a value that is not a scalar.
  std::optional<Scalar> scalar(std::string_view key, std::string_view expected) const;

  // Null if absent. Reports a value that is not a list, and an empty list.
  const std::vector<YamlNode>* list(std::string_view key, std::string_view expected) const;
  const YamlNode* find(std::string_view key) const;
  // Reports absent keys, unless an unknown key has been reported, which is likely a misspelling of one.
  void require(std::initializer_list<std::string_view> keys) const;

  void report(Location location, std::string_view key, std::string_view problem, std::string_view value,
              std::string_view expected) const;
  std::string path_of(std::string_view key) const;
  Location location() const { return node_.location; }
  bool is_map() const { return usable_; }
  // It was reported, and is likely a misspelling of a known one.
  bool has_unknown_key() const { return has_unknown_key_; }

 private:
  bool read_count(std::string_view key, std::uint64_t& out, std::uint64_t min, std::uint64_t max) const;

  const ReadContext& context_;
  const YamlNode& node_;
  std::string path_;
  bool usable_ = true;
  bool has_unknown_key_ = false;
};

// The known word nearest to `word` by edit distance, if it is close enough; empty otherwise.
std::string_view nearest(std::string_view word, std::initializer_list<std::string_view> known);

}  // namespace fanfare::gateway
