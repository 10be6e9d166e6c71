#include "upstream/http_exchange.h"

#include <utility>

#include "base/guard.h"

namespace fanfare::upstream {
namespace {

// Memory that a finished call's buffer may keep for the next one.
constexpr std::size_t kIdleBufferBytesMax = std::size_t{64} << 10;

}  // namespace

bool HttpExchange::take(std::string_view bytes, std::size_t bytes_max) {
  if (bytes.size() > bytes_max - response.size()) {
    too_large = true;
    return false;
  }
  // An exception must not pass through curl.
  no_memory =
      !hold.grow(bytes.size()) || !run_guarded("an answer of a node", [&] { response.append(bytes); });
  if (!no_memory) return true;
  // Released now, not when the transfer has ended: of many answers that arrive together, some must fit.
  response = {};
  hold.release();
  return false;
}

void HttpExchange::prepare(std::string text, CallOptions its_options, Done its_done, Instant its_begin,
                           Instant its_deadline) {
  body = std::move(text);
  options = std::move(its_options);
  done = std::move(its_done);
  begun = its_begin;
  deadline = its_deadline;
  too_large = false;
  no_memory = false;
  got_another_answer = false;
  needs_new_connection = false;
  hold = ByteHold(options.payer);
}

void HttpExchange::prepare_again() {
  needs_new_connection = true;
  got_another_answer = false;
  too_large = false;
  response.clear();
  hold.release();
}

void HttpExchange::reset() {
  hold.release();
  response.clear();
  if (response.capacity() > kIdleBufferBytesMax) response.shrink_to_fit();
  body = {};
  id = {};
  own_fields.clear();
  // An idle one must not keep what records its last call: the access log would stay open.
  options.traced = nullptr;
  options.attempt_record = nullptr;
  done = nullptr;
}

}  // namespace fanfare::upstream
