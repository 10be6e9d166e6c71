#pragma once
// Incoming JSON-RPC 2.0 text, taken apart without being rebuilt: one request, one notification or a batch.
// Every field is the caller's own bytes, so an id of any type and size goes back exactly as it came.
//
//   Parser parser;                       // one per loop, reused: its memory stays
//   auto message = parser.parse(text);
//   if (!message) reply = error with id null
//   for (const Request& request : message->requests) ...

#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "jsonrpc/error.h"

namespace fanfare::jsonrpc {

class Scanner;

struct Request {
  std::string_view raw;  // the whole element verbatim
  // The raw token (`7`, `"a\u0041"`, `null`, 9007199254740993). Empty: the member is missing, so this is a
  // notification and is never answered. With a fault, the id to answer with: the caller's own if it has a
  // valid one, else `null`.
  std::string_view id;
  std::string_view method;  // unescaped
  // Raw: an array, an object or `null`. Empty: the member is missing.
  std::string_view params;
  // Not empty: this is no request. To be answered with -32600 and this message (static).
  std::string_view fault;

  bool is_notification() const { return id.empty(); }
};

struct Message {
  bool batch = false;                 // the answer must be an array, even for one element
  std::span<const Request> requests;  // one without batch, at least one with
};

struct ParseLimits {
  std::uint32_t depth_max = 128;            // how deep arrays and objects may nest; the batch's own counts
  std::uint32_t batch_elements_max = 1000;  // past it the whole batch is refused with -32600
};

class Parser {
 public:
  explicit Parser(ParseLimits limits = {}) : limits_(limits) {}

  // Views point into `text`, and into the parser for a method written with escapes: good while the text
  // stands and until the next parse. Allocates nothing in steady state but for such methods.
  // Errors: -32700 not JSON (or nested too deep, or not UTF-8); -32600 empty batch, batch too large.
  // What is JSON but no request is an element with a `fault`.
  std::expected<Message, Error> parse(std::string_view text);

 private:
  bool parse_element(Scanner& scanner, std::uint32_t depth_max);
  bool parse_object(Scanner& scanner, std::uint32_t depth_max, Request& request);
  std::string_view unescape(std::string_view content);

  ParseLimits limits_;
  std::vector<Request> requests_;
  std::deque<std::string> unescaped_;  // a deque: its strings do not move
};

}  // namespace fanfare::jsonrpc
