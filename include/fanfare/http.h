#pragma once
// HTTP requests on the same port as the WebSockets, and the responses to them (RFC 9110, RFC 9112).

#include <chrono>
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
class ServerImpl;
class RequestParts;
}  // namespace api

// A handler's response. It is checked before it is sent, so a mistake never produces a malformed message:
//
// - The status is 200 to 599. Any other status, such as 0, 101 or 1000, is replaced by a 500 that says so. So
//   is a body with 204, 205 or 304. A log line (response_status_invalid) names the status. RFC9110§15.
// - Fields that the engine writes itself are omitted from `headers`, with a log line
//   (response_header_left_out). They are Content-Length, Transfer-Encoding, Trailer (RFC9112§6); Connection,
//   Keep-Alive, Proxy-Connection, TE (RFC9110§7.6.1); and Date (RFC9110§6.6.1). Upgrade is omitted except
//   with 426, which must name a protocol (RFC9110§15.5.22). A handler may therefore forward another server's
//   headers unchanged.
// - A field is also omitted if its name is not a token, or its value contains a control byte such as CR, LF
//   or NUL (RFC9110§5).
// - Each of these is logged once per name or status, not once per response.
struct Response {
  int status = 200;
  // Content-Type; "": none. The first Content-Type in `headers` takes precedence. A response with 204, 205 or
  // 304 has no content, so only a Content-Type in `headers` is sent.
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<Header> headers = {};  // sent in this order; names may repeat, as with Set-Cookie
};

// One header and one cookie of a request. The views are borrowed for the call, like the request.
struct HeaderView {
  std::string_view name;   // as sent; compare it case-insensitively (RFC9110§5.1)
  std::string_view value;  // without surrounding white space
};
struct Cookie {
  std::string_view name;   // case-sensitive
  std::string_view value;  // as sent: quotes are included, and nothing is decoded
};

// The certificate of a client, which TLS has verified (Tls::client_ca_file).
struct ClientCertificate {
  std::string sha256;   // its fingerprint: 64 hexadecimal digits in lower case
  std::string subject;  // "CN=billing,O=Example" (RFC 4514)
  std::chrono::system_clock::time_point valid_until;
};

// An HTTP request or a WebSocket upgrade request. It and all its views are borrowed for the call; it cannot
// be copied.
class FANFARE_EXPORT Request {
 public:
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  std::string_view method() const;
  std::string_view path() const;   // as sent, not decoded
  std::string_view query() const;  // the part after '?', not decoded; "" if there is none
  // The path segment at {name} in the route, percent-decoded; "" if the route has no such parameter. A path
  // with a malformed escape, such as "/100%", is answered with 400 and reaches no handler.
  std::string_view parameter(std::string_view name) const;
  // The first ?name=value, decoded as browsers do. '+' is a space, and an invalid escape stays as it is:
  // ?q=100% gives "100%". An encoded NUL stays "%00". Decoding happens on the first call.
  std::optional<std::string_view> query_parameter(std::string_view name) const;
  // The first header with this name, case-insensitively. For Host, the host in the request target takes
  // precedence, as in requests to a proxy (RFC9112§3.2.2).
  std::optional<std::string_view> header(std::string_view name) const;
  // All headers in the order sent, including repeated ones.
  std::span<const HeaderView> headers() const;
  // The first cookie with this name. RFC6265§5.4: of two with the same name, the first has the longer path.
  std::optional<std::string_view> cookie(std::string_view name) const;
  // All cookies in the order sent; parts of the Cookie header that are not name=value pairs are omitted
  // (RFC6265§4.2.1). Do not trust names and values: the client chooses them, and any page of the site's
  // domain may have set them.
  std::span<const Cookie> cookies() const;
  std::string_view body() const;
  std::string peer() const;  // "127.0.0.1:50312"
  // Empty: the client showed none, or the listener asks for none.
  std::optional<ClientCertificate> client_certificate() const;

 private:
  friend class api::RequestParts;
  explicit Request(const api::RequestParts& parts) : parts_(parts) {}
  const api::RequestParts& parts_;
};

// The right to answer one request, once, immediately or later, on any thread:
//
//   server.http("GET", "/slow", [&](const Request&, Responder responder) {
//     work.push([responder = std::move(responder)]() mutable {
//       std::move(responder).send({.body = "done"});
//     });
//   });
//
// The connection's next request is read after the response. A responder destroyed unused answers with 500. It
// does nothing if its client has disconnected or its server has stopped. During a stop, responses are still
// delivered.
class FANFARE_EXPORT Responder {
 public:
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  ~Responder();

  void send(Response response) &&;
  // Sends the head and returns write access to the body; pass `length` if it is known. `head.body` is the
  // first piece. For a status without a body, the response is sent as by send(), and the writer is closed.
  BodyWriter start(Response head, std::optional<std::uint64_t> length = {}) &&;

 private:
  friend class api::ServerImpl;
  Responder(std::weak_ptr<api::ServerImpl> impl, std::uint32_t loop, std::uint32_t slot,
            std::uint32_t generation)
      : impl_(std::move(impl)), loop_(loop), slot_(slot), generation_(generation) {}

  std::weak_ptr<api::ServerImpl> impl_;  // empty after use
  std::uint32_t loop_ = 0;
  std::uint32_t slot_ = 0;
  std::uint32_t generation_ = 0;
};

// Serves the files of a directory. Only regular files inside it are served: no names that begin with a dot,
// and no symbolic links that lead outside. The file extension determines the type. Responses carry ETag and
// Last-Modified; conditional requests (RFC9110§13) and a single range (RFC9110§14) are supported. NAME.br and
// NAME.gz next to a file are sent to clients that accept them. Files are read on the loops' threads, so the
// directory should be on a local disk.
struct FileOptions {
  std::string directory;
  std::string index = "index.html";  // for this directory and its subdirectories; "": none
  // File served with 200 instead of a 404 if the last segment of the path has no dot. Use it for pages that
  // route in the browser: "index.html". "": no fallback.
  std::string fallback = {};
  std::string cache_control = "no-cache";
  // Subdirectory, such as "assets", whose file names change with their content. Its files may be cached for a
  // year. "": none.
  std::string immutable_directory = {};
  std::vector<Header> headers = {};  // for every response with a file, such as Content-Security-Policy
};

}  // namespace fanfare
