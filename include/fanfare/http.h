#pragma once
// Requests on the same port as the WebSockets, and the answers to them (RFC 9110, RFC 9112).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/options.h"

namespace fanfare {

namespace api {
class Core;
class RequestParts;
}  // namespace api

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  // Besides Content-Type, Content-Length, Date and Connection. A field that could not stand in a message is
  // left out.
  std::vector<Header> headers = {};
};

// A request, an upgrade's too. It and every view it gives are borrowed for the call; it cannot be copied.
class Request {
 public:
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  std::string_view method() const;
  std::string_view path() const;   // as sent, not decoded
  std::string_view query() const;  // what follows '?', not decoded; "" when nothing does
  // What stands at {name} in the route, percent-decoded. "" when the route has no such place.
  std::string_view parameter(std::string_view name) const;
  // The first ?name=value, percent-decoded.
  std::optional<std::string_view> query_parameter(std::string_view name) const;
  // The first header of this name, in whatever case.
  std::optional<std::string_view> header(std::string_view name) const;
  std::string_view body() const;
  std::string peer() const;  // "127.0.0.1:50312"

 private:
  friend class api::RequestParts;
  explicit Request(const api::RequestParts& parts) : parts_(parts) {}
  const api::RequestParts& parts_;
};

// The right to answer one request, once, now or later and on any thread:
//
//   server.http("GET", "/slow", [&](const Request&, Responder responder) {
//     work.push([responder = std::move(responder)]() mutable { std::move(responder).send({.body = "done"});
//     });
//   });
//
// The connection's next request is read after the answer. A responder that dies unused answers 500; one whose
// client has gone, or whose server has stopped, does nothing. While the server stops, answers are delivered.
class Responder {
 public:
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  ~Responder();

  void send(Response response) &&;

 private:
  friend class api::Core;
  Responder(std::weak_ptr<api::Core> core, std::uint32_t loop, std::uint32_t place, std::uint32_t generation)
      : core_(std::move(core)), loop_(loop), place_(place), generation_(generation) {}

  std::weak_ptr<api::Core> core_;  // empty: used
  std::uint32_t loop_ = 0;
  std::uint32_t place_ = 0;
  std::uint32_t generation_ = 0;
};

}  // namespace fanfare
