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

class Checker {
 public:
  explicit Checker(const StreamSpec& spec) : spec_(spec) { names_.insert(std::string(kPoll)); }

  std::optional<std::string> run() {
    if (!is_stream_name(spec_.name)) return joined({"name: expected ", kNameExpected});
    if (spec_.interval <= Duration::zero()) return "interval: expected more than zero";
    if (spec_.calls.empty() || spec_.calls.size() > kCallsMax) return "calls: expected 1 to 16";
    for (const CallSpec& call : spec_.calls) {
      if (!names_.insert(call.name).second)
        return joined({"calls.", call.name, ": is a duplicate or reserved"});
      const auto params = parse_json(call.params);
      if (!params || (!params->is(Json::Kind::array) && !params->is(Json::Kind::object))) {
        return joined({"calls.", call.name, ".params: expected a list or a map"});
      }
    }
    if (spec_.fields.empty()) return "fields: expected at least one";
    if (auto problem = check(spec_.fields, "fields", 1)) return problem;
    if (spec_.new_only) return check_new_only(*spec_.new_only);
    return std::nullopt;
  }

 private:
  std::optional<std::string> check(const std::vector<FieldSpec>& fields, const std::string& path,
                                   std::size_t depth) {
    if (depth > kFieldDepthMax) return path + ": expected at most 8 levels";
    std::set<std::string_view> names;
    for (const FieldSpec& field : fields) {
      const std::string here = path + "." + field.name;
      if (++count_ > kFieldsMax) return here + ": expected at most 256 fields";
      if (!names.insert(field.name).second) return here + ": is a duplicate";
      if (auto problem = check(field, here, depth)) return problem;
    }
    return std::nullopt;
  }

  std::optional<std::string> check(const FieldSpec& field, const std::string& path, std::size_t depth) {
    using Kind = FieldSpec::Kind;
    const bool has_pointer =
        field.kind == Kind::pointer || field.kind == Kind::count || field.kind == Kind::list;
    if (has_pointer) {
      if (auto problem = check_pointer(field.pointer, path)) return problem;
    }
    if (field.minus) {
      if (auto problem = check_pointer(*field.minus, path + ".minus")) return problem;
    }
    if (field.per_second && in_list_) return path + ": differences cannot be taken within a list";
    if (field.kind != Kind::pointer && field.kind != Kind::count && field.is_arithmetic()) {
      return path + ": arithmetic needs a pointer or a count";
    }
    if (field.min && field.max && *field.min > *field.max) return path + ": min is more than max";
    switch (field.kind) {
      case Kind::constant:
      case Kind::pointer:
      case Kind::count:
        return std::nullopt;
      case Kind::size:
        return check_size(field, path, depth);
      case Kind::object:
        if (field.fields.empty()) return path + ": expected at least one field";
        return check(field.fields, path, depth + 1);
      case Kind::list: {
        if (field.fields.empty()) return path + ": expected at least one field";
        const bool was_in_list = std::exchange(in_list_, true);
        auto problem = check(field.fields, path, depth + 1);
        in_list_ = was_in_list;
        return problem;
      }
    }
    return std::nullopt;
  }

  std::optional<std::string> check_size(const FieldSpec& field, const std::string& path,
                                        std::size_t depth) const {
    if (depth > 1) return path + ": a size stands at the top level";
    const bool has_list = std::ranges::any_of(spec_.fields, [&](const FieldSpec& other) {
      return other.name == field.of && other.kind != FieldSpec::Kind::size;
    });
    if (!has_list) return joined({path, ": there is no field '", field.of, "'"});
    return std::nullopt;
  }

  // At the top level, a pointer begins with the name of a call.
  std::optional<std::string> check_pointer(const std::string& text, const std::string& path) const {
    const auto pointer = JsonPointer::parse(text);
    if (!pointer) return joined({path, ": '", text, "' is not a JSON pointer (RFC 6901)"});
    if (in_list_) return std::nullopt;
    if (!names_.contains(pointer->first())) {
      return joined({path, ": '", text, "' does not begin with the name of a call"});
    }
    return std::nullopt;
  }

  std::optional<std::string> check_new_only(const NewOnly& wanted) const {
    const auto list = std::ranges::find(spec_.fields, wanted.list, &FieldSpec::name);
    if (list == spec_.fields.end() || list->kind != FieldSpec::Kind::list) {
      return joined({"new_only: '", wanted.list, "' is not a list among the fields"});
    }
    if (std::ranges::find(list->fields, wanted.key, &FieldSpec::name) == list->fields.end()) {
      return joined({"new_only: '", wanted.key, "' is not a field of ", wanted.list});
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

std::optional<std::string> problem_with(const StreamSpec& spec) {
  return Checker(spec).run();
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
