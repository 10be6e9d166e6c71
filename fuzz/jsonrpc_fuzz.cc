// Compares our slices with RapidJSON: both accept the same texts, and every slice equals the result of
// RapidJSON's reader. Then tests the builders: their output is valid and has the same id.
//
// The tree is our own, because clang 19 does not compile RapidJSON's document. This also allows comparing the
// exact text of numbers.

// While empty, RapidJSON's stack adds an offset to a null pointer.
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#pragma clang attribute pop

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "jsonrpc/request.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"

namespace {

using namespace fanfare;
using jsonrpc::Kind;

constexpr unsigned kFlags = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag |
                            rapidjson::kParseNumbersAsStringsFlag;
constexpr std::uint32_t kDepthMax = 4096;  // the longest input that libFuzzer generates by default

struct Node {
  Kind kind = Kind::none;
  std::string text;                // a string's content, a number's text, "true", "false"
  std::vector<std::string> names;  // member names of an object, one for each child
  std::vector<Node> children;
};

// Builds a tree from RapidJSON's events. `open_` is the path from the root to the current container.
class TreeBuilder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeBuilder> {
 public:
  bool Null() { return add(Kind::null, "null"); }
  bool Bool(bool yes) { return add(Kind::boolean, yes ? "true" : "false"); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) { return add(Kind::number, {text, size}); }
  bool String(const char* text, rapidjson::SizeType size, bool) { return add(Kind::string, {text, size}); }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    open_.back().names.emplace_back(text, size);
    return true;
  }
  bool StartObject() { return open(Kind::object); }
  bool StartArray() { return open(Kind::array); }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool EndArray(rapidjson::SizeType) { return close(); }
  Node take() { return std::move(root_); }

 private:
  bool place(Node node) {
    (open_.empty() ? root_ : open_.back().children.emplace_back()) = std::move(node);
    return true;
  }
  bool add(Kind kind, std::string_view text) { return place({.kind = kind, .text = std::string(text)}); }
  bool open(Kind kind) {
    open_.push_back({.kind = kind});
    return true;
  }
  bool close() {
    Node node = std::move(open_.back());
    open_.pop_back();
    return place(std::move(node));
  }

  std::vector<Node> open_;
  Node root_;
};

enum class Verdict { valid, refused, number_too_big };

// RapidJSON's verdict. It treats a NUL as the end, so the position is checked as well. It refuses numbers
// that no double can hold, even if it passes on their text.
Verdict parse(Node& root, std::string_view text) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  TreeBuilder builder;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  root = builder.take();
  if (result.Code() == rapidjson::kParseErrorNumberTooBig) return Verdict::number_too_big;
  return !result.IsError() && stream.Tell() == text.size() ? Verdict::valid : Verdict::refused;
}

// The only allowed difference: RapidJSON accepts some unpaired escaped surrogates.
bool has_escaped_surrogate(std::string_view text) {
  for (std::size_t i = 0; i + 3 < text.size(); ++i) {
    if (text[i] == '\\' && text[i + 1] == 'u' && (text[i + 2] | 0x20) == 'd' && text[i + 3] > '7')
      return true;
  }
  return false;
}

// Walks the slice and the tree in parallel.
void check_tree(std::string_view raw, const Node& node) {
  FANFARE_CHECK(jsonrpc::kind_of(raw) == node.kind);
  switch (node.kind) {
    case Kind::null:
    case Kind::boolean:
    case Kind::number:
      FANFARE_CHECK(raw == node.text);
      return;
    case Kind::string:
      FANFARE_CHECK(jsonrpc::string_copy(raw) == node.text);
      if (const auto view = jsonrpc::string_value(raw)) FANFARE_CHECK(*view == node.text);
      return;
    case Kind::array: {
      std::size_t index = 0;
      for (const std::string_view element : jsonrpc::array_elements(raw)) {
        FANFARE_CHECK(index < node.children.size());
        check_tree(element, node.children[index++]);
      }
      FANFARE_CHECK(index == node.children.size());
      return;
    }
    case Kind::object: {
      std::size_t index = 0;
      for (const jsonrpc::Member& member : jsonrpc::object_members(raw)) {
        FANFARE_CHECK(index < node.children.size());
        FANFARE_CHECK(jsonrpc::string_copy("\"" + std::string(member.name) + "\"") == node.names[index]);
        check_tree(member.value, node.children[index++]);
      }
      FANFARE_CHECK(index == node.children.size());
      return;
    }
    case Kind::none:
      FANFARE_CHECK(node.kind != Kind::none);
  }
}

std::size_t count(const Node& object, std::string_view name) {
  std::size_t found = 0;
  for (const std::string& each : object.names) found += each == name ? 1 : 0;
  return found;
}

// Returns the first member of that name; a node without a kind if there is none.
const Node& member(const Node& object, std::string_view name) {
  static const Node kNone;
  for (std::size_t i = 0; i < object.names.size(); ++i) {
    if (object.names[i] == name) return object.children[i];
  }
  return kNone;
}

// Whether the value is a request according to JSON-RPC 2.0 §4 and our rule about duplicates.
bool is_request(const Node& value) {
  if (value.kind != Kind::object) return false;
  for (const char* name : {"jsonrpc", "id", "method", "params"}) {
    if (count(value, name) > 1) return false;
  }
  const Node& version = member(value, "jsonrpc");
  const Kind id = member(value, "id").kind;
  const Kind params = member(value, "params").kind;
  return version.kind == Kind::string && version.text == "2.0" &&
         member(value, "method").kind == Kind::string && id != Kind::boolean && id != Kind::array &&
         id != Kind::object && params != Kind::boolean && params != Kind::number && params != Kind::string;
}

void check_builders(const jsonrpc::Request& request) {
  const std::string_view id = request.is_notification() ? "null" : request.id;
  std::string answer;
  jsonrpc::append_result(answer, id, request.params.empty() ? "null" : request.params);
  const auto split = jsonrpc::split_response(answer, kDepthMax + 1);
  FANFARE_CHECK(split && split->id == id);
  const auto replaced = jsonrpc::replace_id(answer, "7");
  if (replaced) {
    FANFARE_CHECK(jsonrpc::replace_id(*replaced, id) == answer);
  } else {
    FANFARE_CHECK(!jsonrpc::is_valid_json(answer, 512));  // deeper than splicing supports
  }
  std::string error;
  jsonrpc::append_error(error, id, jsonrpc::ErrorCode::method_not_found, request.method);
  FANFARE_CHECK(jsonrpc::read_error(jsonrpc::split_response(error)->error).message ==
                (request.method.empty() ? "Method not found" : request.method));
  std::string forwarded;
  jsonrpc::append_request(forwarded, id, request.method, request.params);
  jsonrpc::Parser parser({.depth_max = kDepthMax + 1});
  const auto again = parser.parse(forwarded);
  FANFARE_CHECK(again && again->requests.size() == 1 && again->requests[0].fault.empty());
  FANFARE_CHECK(again->requests[0].method == request.method && again->requests[0].params == request.params);
}

void check_request(const jsonrpc::Request& request, const Node& value) {
  check_tree(request.raw, value);
  FANFARE_CHECK(request.fault.empty() == is_request(value));
  if (!request.fault.empty()) return;
  FANFARE_CHECK(request.method == member(value, "method").text);
  FANFARE_CHECK(request.is_notification() == (count(value, "id") == 0));
  if (!request.is_notification()) check_tree(request.id, member(value, "id"));
  FANFARE_CHECK(request.params.empty() == (count(value, "params") == 0));
  if (!request.params.empty()) check_tree(request.params, member(value, "params"));
  check_builders(request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text(Bytes(data, size));
  // Must be safe for any bytes.
  static_cast<void>(jsonrpc::split_responses(text));
  static_cast<void>(jsonrpc::element(text, 1));
  static_cast<void>(jsonrpc::member(text, "a"));
  if (size > kDepthMax) return 0;

  jsonrpc::Parser parser({.depth_max = kDepthMax, .batch_elements_max = kDepthMax});
  const auto message = parser.parse(text);
  Node root;
  const Verdict verdict = parse(root, text);
  if (verdict == Verdict::number_too_big) return 0;
  const bool valid = verdict == Verdict::valid;
  const bool refused = !message && message.error().code == jsonrpc::ErrorCode::parse_error;
  if (refused == valid) {
    FANFARE_CHECK(refused && has_escaped_surrogate(text));
    return 0;
  }
  if (!valid) return 0;
  if (!message) {
    FANFARE_CHECK(root.kind == Kind::array && root.children.empty());
    return 0;
  }
  FANFARE_CHECK(message->batch == (root.kind == Kind::array));
  if (!message->batch) {
    check_request(message->requests.front(), root);
    return 0;
  }
  FANFARE_CHECK(message->requests.size() == root.children.size());
  for (std::size_t i = 0; i < root.children.size(); ++i)
    check_request(message->requests[i], root.children[i]);
  return 0;
}
