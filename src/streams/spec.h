#pragma once
// What a stream is: what is asked, how the answers become its fields, and what is published. Plain data, already
// validated (problem_with()). docs/streams.md, "How to write a stream", is its reference.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "fanfare/topic.h"
#include "streams/json.h"
#include "streams/pointer.h"

namespace fanfare::streams {

// One call of a poll. Its result is the member `name` of the document that the fields are taken from.
struct CallSpec {
  std::string name;
  std::string method;
  std::string params = "[]";  // raw JSON: an array or an object

  bool operator==(const CallSpec&) const = default;
};

struct FieldSpec {
  enum class Kind : std::uint8_t {
    constant,  // `constant`
    pointer,   // the value at `pointer`
    count,     // the number of elements or members at `pointer`
    size,  // the number of entries in the field `of`, once entries that are not new are removed; top level only
    object,  // `fields`
    list,    // one object of `fields` for each element at `pointer`; their pointers begin at the element
  };
  enum class As : std::uint8_t {
    json,    // as it is
    number,  // also from "0x1a" and "26"
    text,    // also from a number
  };

  std::string name;
  Kind kind = Kind::pointer;
  Json constant = {};
  std::string pointer = {};               // RFC 6901
  std::optional<std::string> minus = {};  // a pointer to a number to subtract
  As as = As::json;
  // The difference to the previous poll, for each second. Null (or `fallback`) while there is no previous poll.
  bool per_second = false;
  // Number * scale + add, then the bounds, then rounded to so many decimals. Any of them makes it a number.
  double scale = 1;
  double add = 0;
  std::optional<double> min = {};
  std::optional<double> max = {};
  std::optional<unsigned> decimals = {};
  std::optional<Json> fallback = {};  // if there is nothing at `pointer`. Empty: the poll fails
  std::string of = {};
  std::vector<FieldSpec> fields = {};

  bool is_arithmetic() const {
    return per_second || minus || scale != 1 || add != 0 || min || max || decimals;
  }
  bool operator==(const FieldSpec&) const = default;
};

// Entries of the list `list` are published once. The text of their field `key` identifies them.
struct NewOnly {
  std::string list;
  std::string key;

  bool operator==(const NewOnly&) const = default;
};

struct StreamSpec {
  std::string name;
  Duration interval = std::chrono::seconds(1);  // between the starts of two polls
  std::vector<CallSpec> calls;
  std::vector<FieldSpec> fields;
  bool on_change = false;  // a value equal to the last one is not published
  std::optional<NewOnly> new_only = {};
  std::size_t history_messages = 300;  // at least 2, so that the last value is always there
  // A value may take an eighth of it.
  std::size_t history_bytes = std::size_t{4} << 20;
  // For readers that are slower than the stream. Values replace each other; new entries do not.
  TopicPolicy slow_readers = {.when_full = WhenFull::keep_latest};

  friend bool operator==(const StreamSpec& left, const StreamSpec& right);
};

inline constexpr std::size_t kNameBytesMax = 64;
inline constexpr std::size_t kFieldsMax = 256;  // of a stream, all levels together
inline constexpr std::size_t kFieldDepthMax = 8;
inline constexpr std::size_t kCallsMax = 16;
inline constexpr std::string_view kNameExpected =
    "1 to 64 letters, digits, '_', '-' or '.', and not a message type of the protocol";

// Whether it can be the name of a stream.
bool is_stream_name(std::string_view name);

// Where a stream cannot be used, and why, as texts for people.
struct SpecProblem {
  std::vector<std::string> path;  // keys as in the configuration: "fields", "tps", "minus"
  std::string what;               // "is a duplicate"; may be empty
  std::string expected;           // "another name"
};

// The first problem. Empty if the stream can be used.
std::optional<SpecProblem> find_problem(const StreamSpec& spec);
// As one text: "fields.tps: ...".
std::optional<std::string> problem_with(const StreamSpec& spec);

}  // namespace fanfare::streams
