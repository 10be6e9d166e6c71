#pragma once
// Files of a directory over HTTP: a Mount for a pattern that ends in {path...}.
//
//   GET /app/main.js            the file, with Content-Type, ETag, Last-Modified and Cache-Control
//     If-None-Match, If-Modified-Since    304 (RFC9110§13.1)
//     Range: bytes=0-99                   206 with Content-Range, or 416 (RFC9110§14); one range, others get 200
//     Accept-Encoding: br, gzip           main.js.br or main.js.gz where it lies beside it (RFC9110§12.5.3)
//   GET /app/, /app             index of the directory
//   what is not there           404, or the fallback page of an application that routes in the browser
//
// Only regular files beneath the directory are served: no name that begins with a dot, no "..", and no
// symbolic link that leads out. Nothing is listed. A file is read as its client takes it, on the loop's thread:
// meant for files on a local disk.

#include <string>
#include <string_view>
#include <vector>

#include "net/socket.h"
#include "server/mount.h"
#include "ws/handshake.h"

namespace fanfare::server {

struct FileOptions {
  std::string directory;
  std::string index = "index.html";  // of the directory and those in it; empty: none
  // Served with 200 instead of a 404 where the last segment has no dot: "index.html". Empty: never.
  std::string fallback = "";
  std::string cache_control = "no-cache";
  // Files in this directory, as in "assets", have names that change with their content, and are kept for a
  // year without asking again. Empty: none has.
  std::string immutable_directory = "";
  std::vector<ws::OwnedHeader> headers = {};  // of every answer with a file: Content-Security-Policy and such
};

// By the name's ending; application/octet-stream for those that are not known.
std::string_view content_type_of(std::string_view name);

// "bytes=0-99" against a size. RFC9110§14.1.2.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};
enum class RangeOutcome : std::uint8_t { whole, part, unsatisfiable };
// `whole`: there is no range, or one that is to be ignored (another unit, several ranges, malformed).
RangeOutcome read_range(std::string_view header, std::uint64_t size, ByteRange& range);

class StaticFiles final : public Mount {
 public:
  // The error names the directory that cannot be opened, and why.
  static std::expected<std::shared_ptr<StaticFiles>, std::string> open(FileOptions options);

  Offer offer(const PathPattern::Match&) const override { return {.methods = "GET"}; }
  void on_request(session::ServerSession& session, const Target& target) override;

 private:
  struct File;
  StaticFiles(FileOptions options, net::Descriptor directory)
      : options_(std::move(options)), directory_(std::move(directory)) {}

  std::optional<File> find(std::span<const std::string> segments) const;
  std::optional<File> open_file(const std::string& path) const;
  File choose_encoding(File file, http::Headers headers) const;
  void answer(session::ServerSession& session, const http::Request& request, File file) const;

  const FileOptions options_;
  const net::Descriptor directory_;
};

}  // namespace fanfare::server
