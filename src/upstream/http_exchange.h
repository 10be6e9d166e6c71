#pragma once
// One call to a node over HTTP, and the two clients that can carry it: ours (builtin_client.h), and libcurl
// (curl_client.h). http_node.h decides which, queues calls and judges answers. Worker thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_budget.h"
#include "base/time.h"
#include "upstream/backend.h"
#include "upstream/call_id.h"

namespace fanfare::upstream {

// A client makes its own kind of exchange, which is used for many calls.
struct HttpExchange {
  HttpExchange() = default;
  virtual ~HttpExchange() = default;
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  // Adds to the answer's body, which may have `bytes_max` bytes. False: it is too long, or there is no memory for it;
  // the call must end now.
  bool take(std::string_view bytes, std::size_t bytes_max);
  void prepare(std::string text, CallOptions its_options, Done its_done, Instant its_begin,
               Instant its_deadline);
  // The same call once more, on a new connection.
  void prepare_again();
  // After the call: keeps little memory for the next one.
  void reset();

  std::string body;
  CallId id;
  CallOptions options;
  Done done;
  std::vector<std::pair<std::string, std::string>> own_fields;  // header fields of this call alone
  Instant begun{};
  Instant deadline{};
  std::string response;
  ByteHold hold;  // the answer's bytes
  bool too_large = false;
  bool no_memory = false;             // the answer did not fit into the process's memory or the payer's share
  bool got_another_answer = false;    // its id is not the one that was sent
  bool needs_new_connection = false;  // no kept connection is trusted for it
  std::size_t index = 0;              // in the node's list of calls
};

// How an exchange ended on the wire. The body is in the exchange.
struct HttpOutcome {
  std::optional<Failure> failure;  // of the transport: no complete response came
  int status = 0;                  // 0: no head came
  std::optional<Duration> retry_after;
  bool new_connection = false;  // a connection was opened for it
};

class HttpClient {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The exchange is over. Never called from within start() or abandon(). May destroy the client.
    virtual void finished(HttpExchange& exchange, HttpOutcome outcome) = 0;
  };

  HttpClient() = default;
  virtual ~HttpClient() = default;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // The client must outlive its exchanges.
  virtual std::unique_ptr<HttpExchange> make_exchange() = 0;
  // Sends the exchange's body, and collects the answer until its deadline. It stays where it is until finished().
  virtual void start(HttpExchange& exchange) = 0;
  // Ends it without finished().
  virtual void abandon(HttpExchange& exchange) = 0;
  // Closes what is open. No exchange is running.
  virtual void close() = 0;
};

}  // namespace fanfare::upstream
