#include "gateway/config_stream_fields.h"

#include <array>
#include <cmath>
#include <utility>

#include "base/decimal.h"
#include "jsonrpc/value.h"

namespace fanfare::gateway {
namespace {

using streams::FieldSpec;
using streams::Json;

bool is_json_number(std::string_view text) {
  return jsonrpc::kind_of(text) == jsonrpc::Kind::number && jsonrpc::is_valid_json(text) && text.back() > ' ';
}

// The one key that says what a field is.
struct Source {
  std::string_view key;
  FieldSpec::Kind kind;
};
constexpr std::array<Source, 6> kSources{{{"const", FieldSpec::Kind::constant},
                                          {"pointer", FieldSpec::Kind::pointer},
                                          {"count", FieldSpec::Kind::count},
                                          {"size", FieldSpec::Kind::size},
                                          {"each", FieldSpec::Kind::list},
                                          {"fields", FieldSpec::Kind::object}}};
constexpr std::string_view kOneSource =
    "exactly one of const, pointer, count, size, each (with fields) and fields";

class FieldReader {
 public:
  FieldReader(const ReadContext& context, const YamlNode& node, const std::string& path)
      : context_(context),
        fields_(context, node, path,
                {"const", "pointer", "count", "size", "each", "fields", "minus", "as", "perSecond", "scale",
                 "add", "min", "max", "decimals", "default"},
                MapFields::Empty::refused),
        path_(path) {}

  void read(FieldSpec& out) {
    if (!fields_.is_map() || !read_kind(out)) return;
    switch (out.kind) {
      case FieldSpec::Kind::constant:
        out.constant = json_of(*fields_.find("const"));
        break;
      case FieldSpec::Kind::pointer:
        fields_.read("pointer", out.pointer);
        break;
      case FieldSpec::Kind::count:
        fields_.read("count", out.pointer);
        break;
      case FieldSpec::Kind::size:
        fields_.read("size", out.of);
        break;
      case FieldSpec::Kind::list:
        // "" is the whole element or document.
        if (const auto each = fields_.scalar("each", "a JSON pointer")) out.pointer = each->text;
        [[fallthrough]];
      case FieldSpec::Kind::object:
        if (const YamlNode* const inner = fields_.find("fields")) {
          read_stream_fields(context_, *inner, path_ + ".fields", out.fields);
        }
        break;
    }
    read_options(out);
  }

 private:
  bool read_kind(FieldSpec& out) {
    const Source* found = nullptr;
    for (const Source& source : kSources) {
      if (fields_.find(source.key) == nullptr) continue;
      // `each` has `fields` as well.
      if (found != nullptr && found->kind == FieldSpec::Kind::list && source.kind == FieldSpec::Kind::object)
        continue;
      if (found != nullptr) {
        fields_.report(fields_.location(), source.key, "stands beside another source", "", kOneSource);
        return false;
      }
      found = &source;
    }
    if (found == nullptr) {
      if (fields_.has_unknown_key()) return false;
      fields_.report(fields_.location(), "pointer", "is missing", "", kOneSource);
      return false;
    }
    out.kind = found->kind;
    return true;
  }

  void read_options(FieldSpec& out) {
    std::string minus;
    if (fields_.read("minus", minus)) out.minus = std::move(minus);
    static constexpr std::array<std::string_view, 3> kAs{"json", "number", "text"};
    if (const auto word = fields_.read_word("as", kAs)) out.as = static_cast<FieldSpec::As>(*word);
    fields_.read("perSecond", out.per_second);
    read_number("scale", out.scale);
    read_number("add", out.add);
    double bound = 0;
    if (read_number("min", bound)) out.min = bound;
    if (read_number("max", bound)) out.max = bound;
    unsigned decimals = 0;
    if (fields_.read("decimals", decimals, 0, 15)) out.decimals = decimals;
    if (const YamlNode* const fallback = fields_.find("default")) out.fallback = json_of(*fallback);
  }

  bool read_number(std::string_view key, double& out) {
    const auto value = fields_.scalar(key, "a number");
    if (!value) return false;
    const double number = is_json_number(value->text) ? double_of(value->text) : HUGE_VAL;
    if (value->is_text || !std::isfinite(number)) {
      fields_.report(value->location, key, "is not a number", value->written, "a number");
      return false;
    }
    out = number;
    return true;
  }

  const ReadContext& context_;
  MapFields fields_;
  const std::string& path_;
};

}  // namespace

Json json_of(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return {};
    case YamlNode::Kind::scalar: {
      if (node.quoted) return Json::of(std::string_view(node.text));
      if (node.text == "null" || node.text == "~") return {};
      if (node.text == "true" || node.text == "false") return Json::of(node.text == "true");
      if (!is_json_number(node.text)) return Json::of(std::string_view(node.text));
      Json number;
      number.kind = Json::Kind::number;
      number.text = node.text;
      return number;
    }
    case YamlNode::Kind::sequence: {
      Json list = Json::array();
      for (const YamlNode& item : node.items) list.items.push_back(json_of(item));
      return list;
    }
    case YamlNode::Kind::map: {
      Json map = Json::object();
      for (const YamlEntry& entry : node.entries) map.set(entry.key, json_of(entry.value));
      return map;
    }
  }
  return {};
}

void read_stream_calls(const ReadContext& context, const YamlNode& node, const std::string& path,
                       std::vector<streams::CallSpec>& out) {
  if (node.kind != YamlNode::Kind::map) {
    context.diagnostics.report(node.location, path + " is not a map, expected the calls by name");
    return;
  }
  for (const YamlEntry& entry : node.entries) {
    streams::CallSpec& call = out.emplace_back();
    call.name = entry.key;
    const std::string here = path + "." + entry.key;
    // A method alone has no parameters.
    if (entry.value.kind == YamlNode::Kind::scalar) {
      call.method = entry.value.text;
      continue;
    }
    const MapFields fields(context, entry.value, here, {"method", "params"}, MapFields::Empty::refused);
    fields.require({"method"});
    fields.read("method", call.method);
    const YamlNode* const params = fields.find("params");
    if (params == nullptr) continue;
    if (params->kind != YamlNode::Kind::sequence && params->kind != YamlNode::Kind::map) {
      fields.report(params->location, "params", "is neither a list nor a map", params->text,
                    "the parameters of the call");
      continue;
    }
    call.params = json_of(*params).write();
  }
}

void read_stream_fields(const ReadContext& context, const YamlNode& node, const std::string& path,
                        std::vector<FieldSpec>& out) {
  if (node.kind != YamlNode::Kind::map) {
    context.diagnostics.report(node.location, path + " is not a map, expected the fields by name");
    return;
  }
  for (const YamlEntry& entry : node.entries) {
    FieldSpec& field = out.emplace_back();
    field.name = entry.key;
    // A pointer alone.
    if (entry.value.kind == YamlNode::Kind::scalar &&
        (entry.value.text.empty() || entry.value.text.front() == '/')) {
      field.pointer = entry.value.text;
      continue;
    }
    const std::string here = path + "." + entry.key;
    if (entry.value.kind == YamlNode::Kind::scalar) {
      context.diagnostics.report(entry.value.location,
                                 here + " is not a JSON pointer (" + quoted_for_message(entry.value.text) +
                                     "), expected one that begins with \"/\", or a map");
      continue;
    }
    FieldReader(context, entry.value, here).read(field);
  }
}

}  // namespace fanfare::gateway
