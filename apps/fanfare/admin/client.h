#pragma once
// Requests to the admin API of a running server, over its Unix socket or a port.

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "admin/flags.h"

namespace fanfare::app {

struct AdminReply {
  int status = 0;
  std::string body;  // JSON
};

// The socket of the program that this user runs; or that of the service, if only that one is there.
std::string socket_to_ask(const std::string& of_user, const std::string& of_service);

class AdminClient {
 public:
  static constexpr std::size_t kReplyBytesMax = std::size_t{64} << 20;

  explicit AdminClient(AdminAddress to);
  AdminClient(const AdminClient&) = delete;
  AdminClient& operator=(const AdminClient&) = delete;
  ~AdminClient();

  // Blocks, at most for the timeout. `target`: "/v1/status". The error is for people: the server cannot be reached, or it
  // answered with an error, whose text it is.
  std::expected<AdminReply, std::string> request(std::string_view method, const std::string& target,
                                                 const std::string& body = {});
  // Of the requests from here on.
  void set_timeout(std::chrono::seconds time) { timeout_ms_ = std::chrono::milliseconds(time).count(); }
  // For people.
  const std::string& address() const { return address_; }

 private:
  void* curl_;  // a CURL; one connection for all requests
  std::string address_;
  std::string base_;  // of the URLs
  std::string token_;
  long timeout_ms_ = 30'000;
};

// The detail of a problem+json text, with the offending value; or the text itself.
std::string problem_text(std::string_view body);
// As a part of a URL's query or path.
std::string url_escaped(std::string_view text);

}  // namespace fanfare::app
