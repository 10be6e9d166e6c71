#include "streams/spec.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/text.h"

namespace fanfare::streams {
namespace {

constexpr std::array<std::string_view, 12> kMessageTypes{
    "welcome", "subscribed", "unsubscribed", "pong", "error",        "notice",
    "hello",   "subscribe",  "unsubscribe",  "ping", "authenticate", "authenticated"};
// The member of the document that describes the poll itself.
constexpr std::string_view kPoll = "poll";
constexpr std::array<std::string_view, 3> kPollPointers{"/poll", "/poll/time", "/poll/latency_ms"};

using Path = std::vector<std::string>;
using Problem = std::optional<SpecProblem>;

Path within(Path path, std::string key) {
  path.push_back(std::move(key));
  return path;
}

Problem problem(Path path, std::string what, std::string expected) {
  return SpecProblem{.path = std::move(path), .what = std::move(what), .expected = std::move(expected)};
}

class Checker {
 public:
  explicit Checker(const StreamSpec& spec) : spec_(spec) { names_.insert(std::string(kPoll)); }

  Problem run() {
    if (!is_stream_name(spec_.name)) return problem({"name"}, "", std::string(kNameExpected));
    if (spec_.interval <= Duration::zero()) return problem({"interval"}, "", "more than zero");
    if (spec_.calls.empty() || spec_.calls.size() > kCallsMax) return problem({"calls"}, "", "1 to 16");
    for (const CallSpec& call : spec_.calls) {
      if (auto found = check(call)) return found;
    }
    if (spec_.fields.empty()) return problem({"fields"}, "", "at least one");
    if (auto found = check(spec_.fields, {"fields"}, 1)) return found;
    if (spec_.new_only) return check_new_only(*spec_.new_only);
    return std::nullopt;
  }

 private:
  Problem check(const CallSpec& call) {
    const Path path{"calls", call.name};
    if (!names_.insert(call.name).second) return problem(path, "is a duplicate or reserved", "another name");
    if (call.method.empty()) return problem(path, "has no method", "the method that the node is asked");
    const auto params = parse_json(call.params);
    if (!params || (!params->is(Json::Kind::array) && !params->is(Json::Kind::object))) {
      return problem(within(path, "params"), "", "a list or a map");
    }
    return std::nullopt;
  }

  Problem check(const std::vector<FieldSpec>& fields, const Path& path, std::size_t depth) {
    if (depth > kFieldDepthMax) return problem(path, "", "at most 8 levels");
    std::set<std::string_view> names;
    for (const FieldSpec& field : fields) {
      const Path here = within(path, field.name);
      if (++count_ > kFieldsMax) return problem(here, "", "at most 256 fields");
      if (!names.insert(field.name).second) return problem(here, "is a duplicate", "another name");
      if (auto found = check_options(field, here)) return found;
      if (auto found = check(field, here, depth)) return found;
    }
    return std::nullopt;
  }

  // What would be ignored is a mistake.
  Problem check_options(const FieldSpec& field, const Path& path) const {
    using Kind = FieldSpec::Kind;
    if (field.kind != Kind::pointer && field.kind != Kind::count && field.is_arithmetic()) {
      return problem(path, "arithmetic needs a pointer or a count",
                     "no minus, perSecond, scale, add, min, max or decimals");
    }
    if (field.as == FieldSpec::As::text && field.is_arithmetic()) {
      return problem(within(path, "as"), "is text, but the other options make it a number", "as: number");
    }
    if (field.kind != Kind::pointer && field.as != FieldSpec::As::json) {
      return problem(within(path, "as"), "needs a pointer", "no as");
    }
    if (field.fallback && field.kind == Kind::list && !field.fallback->is(Json::Kind::array)) {
      return problem(within(path, "default"), "is not a list, as the field is", "a list");
    }
    if (field.fallback &&
        (field.kind == Kind::constant || field.kind == Kind::size || field.kind == Kind::object)) {
      return problem(within(path, "default"), "is never used: the value cannot be missing", "no default");
    }
    if (field.per_second && in_list_) {
      return problem(path, "differences cannot be taken within a list", "no perSecond");
    }
    if (field.min && field.max && *field.min > *field.max) {
      return problem(path, "min is more than max", "min to be at most max");
    }
    return std::nullopt;
  }

  Problem check(const FieldSpec& field, const Path& path, std::size_t depth) {
    using Kind = FieldSpec::Kind;
    const bool has_pointer =
        field.kind == Kind::pointer || field.kind == Kind::count || field.kind == Kind::list;
    if (has_pointer) {
      if (auto found = check_pointer(field.pointer, path)) return found;
    }
    if (field.minus) {
      if (auto found = check_pointer(*field.minus, within(path, "minus"))) return found;
    }
    switch (field.kind) {
      case Kind::constant:
      case Kind::pointer:
      case Kind::count:
        return std::nullopt;
      case Kind::size:
        return check_size(field, path, depth);
      case Kind::object:
        return check_inner(field, path, depth);
      case Kind::list: {
        const bool was_in_list = std::exchange(in_list_, true);
        auto found = check_inner(field, path, depth);
        in_list_ = was_in_list;
        return found;
      }
    }
    return std::nullopt;
  }

  Problem check_inner(const FieldSpec& field, const Path& path, std::size_t depth) {
    const Path inner = within(path, "fields");
    if (field.fields.empty()) return problem(inner, "", "at least one field");
    return check(field.fields, inner, depth + 1);
  }

  Problem check_size(const FieldSpec& field, const Path& path, std::size_t depth) const {
    if (depth > 1) return problem(path, "a size stands at the top level", "a field of the stream itself");
    const bool has_list = std::ranges::any_of(spec_.fields, [&](const FieldSpec& other) {
      return other.name == field.of && other.kind != FieldSpec::Kind::size;
    });
    if (!has_list)
      return problem(path, joined({"there is no field '", field.of, "'"}), "one of the stream's fields");
    return std::nullopt;
  }

  // At the top level, a pointer begins with the name of a call.
  Problem check_pointer(const std::string& text, const Path& path) const {
    const auto pointer = JsonPointer::parse(text);
    if (!pointer) {
      return problem(path, joined({"'", text, "' is not a JSON pointer (RFC 6901)"}),
                     "one that begins with \"/\"");
    }
    if (in_list_) return std::nullopt;
    if (!names_.contains(pointer->first())) {
      std::string names;
      for (const std::string& name : names_) names += (names.empty() ? "/" : ", /") + name;
      return problem(path, joined({"'", text, "' does not begin with the name of a call"}), names);
    }
    if (pointer->first() == kPoll && std::ranges::find(kPollPointers, text) == kPollPointers.end()) {
      return problem(path, joined({"'", text, "' is never there"}), "/poll/time or /poll/latency_ms");
    }
    return std::nullopt;
  }

  Problem check_new_only(const NewOnly& wanted) const {
    const auto list = std::ranges::find(spec_.fields, wanted.list, &FieldSpec::name);
    if (list == spec_.fields.end() || list->kind != FieldSpec::Kind::list) {
      return problem({"newOnly", "list"}, joined({"'", wanted.list, "' is not a list among the fields"}),
                     "a field with each");
    }
    const auto key = std::ranges::find(list->fields, wanted.key, &FieldSpec::name);
    if (key == list->fields.end()) {
      return problem({"newOnly", "key"}, joined({"'", wanted.key, "' is not a field of ", wanted.list}),
                     "a field of each entry");
    }
    if (key->kind == FieldSpec::Kind::constant) {
      return problem({"newOnly", "key"}, joined({"'", wanted.key, "' is the same in every entry"}),
                     "a field that tells entries apart");
    }
    return std::nullopt;
  }

  const StreamSpec& spec_;
  std::set<std::string, std::less<>> names_;
  std::size_t count_ = 0;
  bool in_list_ = false;
};

}  // namespace

bool is_stream_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  if (std::ranges::find(kMessageTypes, name) != kMessageTypes.end()) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

std::optional<SpecProblem> find_problem(const StreamSpec& spec) {
  return Checker(spec).run();
}

std::optional<std::string> problem_with(const StreamSpec& spec) {
  const auto found = find_problem(spec);
  if (!found) return std::nullopt;
  std::string text;
  for (const std::string& key : found->path) text += (text.empty() ? "" : ".") + key;
  return text + ": " + (found->what.empty() ? "expected " + found->expected : found->what);
}

bool operator==(const StreamSpec& left, const StreamSpec& right) {
  return left.name == right.name && left.interval == right.interval && left.calls == right.calls &&
         left.fields == right.fields && left.on_change == right.on_change &&
         left.new_only == right.new_only && left.history_messages == right.history_messages &&
         left.history_bytes == right.history_bytes &&
         left.slow_readers.when_full == right.slow_readers.when_full &&
         left.slow_readers.waiting_max == right.slow_readers.waiting_max;
}

}  // namespace fanfare::streams
