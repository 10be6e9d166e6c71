#pragma once
// Parses incoming JSON-RPC 2.0 text without rebuilding it: one request, one notification or a batch. Every
// field is a view of the caller's own bytes, so an id of any type and size is returned exactly as it came.
//
//   Parser parser;                       // one per loop, reused to keep its memory
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
  std::string_view raw;  // the complete element, verbatim
  // The raw token (`7`, `"a\u0041"`, `null`, 9007199254740993). Empty: the member is missing, so this is a
  // notification and is never answered. With a fault, this is the id to answer with: the caller's own if it
  // is valid, otherwise `null`.
  std::string_view id;
  std::string_view method;  // unescaped
  // Raw: an array, an object or `null`. Empty: the member is missing.
  std::string_view params;
  // Not empty: this is not a valid request. Answer with -32600 and this message (static).
  std::string_view fault;
  bool is_version_1 = false;  // it expects the answer of JSON-RPC 1: see to_version_1() in response.h

  bool is_notification() const { return id.empty(); }
};

struct Message {
  bool batch = false;                 // the response must be an array, even for one element
  std::span<const Request> requests;  // exactly one without a batch, at least one with a batch
};

struct ParseLimits {
  // Nesting limit for arrays and objects, including the batch's own array. A deeper element has a fault.
  std::uint32_t depth_max = 128;
  std::uint32_t batch_elements_max = 1000;  // beyond it the whole batch is rejected with -32600
  // Also accepts requests without `jsonrpc`, or with "1.0" or "1.1", as clients of Bitcoin Core send them. Without
  // an id they are answered with the id null.
  bool version_1 = false;
};

class Parser {
 public:
  explicit Parser(ParseLimits limits = {}) : limits_(limits) {}

  // The views point into `text`. A method written with escapes points into the parser. They are valid while
  // the text exists and until the next parse. In steady state only such methods allocate memory. Errors:
  // -32700 for text that is not JSON (or not UTF-8); -32600 for an empty or too large batch. JSON that is not a
  // valid request becomes an element with a `fault`.
  std::expected<Message, Error> parse(std::string_view text);

  // The same in steps, for a long batch: start(), then step() until its result is the last one. Whether all of the
  // text is valid is only known then. Each step reads up to `elements_max` further elements, at least one, and returns
  // those; the views are valid until the next step.
  struct Step {
    Message part;
    bool last = false;
  };
  void start(std::string_view text);
  std::expected<Step, Error> step(std::size_t elements_max);

  // How many elements of the last text were read: all of them, or after an error those before it.
  std::size_t elements_read() const { return elements_read_; }

 private:
  std::expected<Step, Error> last_step(Scanner& scanner);
  bool parse_element(Scanner& scanner, std::uint32_t depth_max);
  bool parse_object(Scanner& scanner, std::uint32_t depth_max, Request& request);
  std::string_view unescape(std::string_view content);

  ParseLimits limits_;
  std::string_view rest_;  // of the text
  bool is_batch_ = false;  // the rest begins within one
  std::size_t elements_read_ = 0;
  std::vector<Request> requests_;      // of the last step
  std::deque<std::string> unescaped_;  // a deque: its strings do not move
};

}  // namespace fanfare::jsonrpc
