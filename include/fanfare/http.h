#pragma once
// Requests on the same port as the WebSockets, and the answers to them (RFC 9110, RFC 9112).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fanfare/body.h"
#include "fanfare/export.h"
#include "fanfare/options.h"

namespace fanfare {

namespace api {
class Core;
class RequestParts;
}  // namespace api

// What a handler answers with. It is checked before it goes out, and a fault never breaks the message:
//
// - The status is 200 to 599. Any other, such as 0, 101 or 1000, and a body with 204, 205 or 304, becomes a
// 500 that
//   says so, with a line in the log (response_status_invalid) that names the status. RFC9110§15.
// - Left out of `headers`, with a line in the log (response_header_left_out), is what the engine writes
// itself:
//   Content-Length, Transfer-Encoding, Trailer (RFC9112§6); Connection, Keep-Alive, Proxy-Connection, TE
//   (RFC9110§7.6.1); Date (RFC9110§6.6.1); and Upgrade, but with 426, which has to name a protocol
//   (RFC9110§15.5.22). A handler may pass on the headers of another server's answer as they are.
// - So is a field whose name is no token, or whose value holds a control byte such as CR, LF or NUL
// (RFC9110§5).
// - Each of these is logged once for each name or status, not with every answer.
struct Response {
  int status = 200;
  // Content-Type; "": none. A Content-Type among `headers` is sent instead of it; only the first of them.
  // With 204, 205 and 304 there is nothing whose type it could be, and only one among `headers` is sent.
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<Header> headers = {};  // in this order; the same name may come again, as with Set-Cookie
};

// One header of a request, and one of its cookies. The views are borrowed for the call, as the request is.
struct HeaderView {
  std::string_view name;   // as sent; compare it without regard to case (RFC9110§5.1)
  std::string_view value;  // without white space around it
};
struct Cookie {
  std::string_view name;   // compared with regard to case
  std::string_view value;  // as sent: quotes are part of it, and nothing is decoded
};

// A request, an upgrade's too. It and every view it gives are borrowed for the call; it cannot be copied.
class FANFARE_EXPORT Request {
 public:
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  std::string_view method() const;
  std::string_view path() const;   // as sent, not decoded
  std::string_view query() const;  // what follows '?', not decoded; "" when nothing does
  // What stands at {name} in the route, percent-decoded. "" when the route has no such place. A path with a
  // malformed escape, such as "/100%", is answered 400 and comes to no handler.
  std::string_view parameter(std::string_view name) const;
  // The first ?name=value, decoded as browsers do: '+' is a space, and what is no escape stands for itself:
  // ?q=100% gives "100%". An encoded NUL stays "%00". Decoded when the first parameter is asked for.
  std::optional<std::string_view> query_parameter(std::string_view name) const;
  // The first header of this name, in whatever case. Host is the host of the target where that names one, as
  // requests to a proxy do (RFC9112§3.2.2).
  std::optional<std::string_view> header(std::string_view name) const;
  // All headers in the order sent, repeated ones too.
  std::span<const HeaderView> headers() const;
  // The first cookie of this name. RFC6265§5.4: of two with the same name the first has the longer path.
  std::optional<std::string_view> cookie(std::string_view name) const;
  // All cookies in the order sent; of the Cookie header what is no name=value pair is left out
  // (RFC6265§4.2.1). Names and values are whatever the client sent: any page of the site's domain may have
  // set them.
  std::span<const Cookie> cookies() const;
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
class FANFARE_EXPORT Responder {
 public:
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  ~Responder();

  void send(Response response) &&;
  // Sends the head, and hands out the right to write the body, of so many bytes where that is known.
  // `head.body` is the first piece. A status that has no body is answered as by send(), and the writer is
  // closed.
  BodyWriter start(Response head, std::optional<std::uint64_t> length = {}) &&;

 private:
  friend class api::Core;
  Responder(std::weak_ptr<api::Core> core, std::uint32_t loop, std::uint32_t place, std::uint32_t generation)
      : core_(std::move(core)), loop_(loop), place_(place), generation_(generation) {}

  std::weak_ptr<api::Core> core_;  // empty: used
  std::uint32_t loop_ = 0;
  std::uint32_t place_ = 0;
  std::uint32_t generation_ = 0;
};

// Files of a directory. Only regular files beneath it are served: no name that begins with a dot, and no
// symbolic link that leads out. A name's ending gives the type. Answers carry ETag and Last-Modified, and
// conditional requests (RFC9110§13) and one range (RFC9110§14) are understood. NAME.br and NAME.gz beside a
// file are sent to clients that accept them. Files are read on the loops' threads: meant for a local disk.
struct FileOptions {
  std::string directory;
  std::string index = "index.html";  // of the directory and those in it; "": none
  // Served with 200 instead of a 404 where the last segment of the path has no dot, as for pages that route in
  // the browser: "index.html". "": never.
  std::string fallback = {};
  std::string cache_control = "no-cache";
  // Files in this directory, as in "assets", have names that change with their content: they are kept for a
  // year. "": none has.
  std::string immutable_directory = {};
  std::vector<Header> headers = {};  // of every answer with a file: Content-Security-Policy and such
};

}  // namespace fanfare
