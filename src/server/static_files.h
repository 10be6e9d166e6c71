#pragma once
// Serves the files of a directory: a Mount for a pattern that ends in {path...}.
//
//   GET /app/main.js            the file, with Content-Type, ETag, Last-Modified and Cache-Control
//     If-None-Match, If-Modified-Since    304 (RFC9110§13.1)
//     Range: bytes=0-99                   206 with Content-Range, or 416; several ranges get 200 (RFC9110§14)
//     Accept-Encoding: br, gzip           main.js.br or main.js.gz, if it exists (RFC9110§12.5.3)
//   GET /app/, /app             index of the directory
//   a missing file              404, or the fallback page of an application that routes in the browser
//
// Serves only regular files beneath the directory: no name that begins with a dot, no "..", and no symbolic
// link that leads outside. Directories are not listed. A file is read on the loop's thread as the client
// takes it, so it should be on a local disk.

#include <string>
#include <string_view>
#include <vector>

#include "net/socket.h"
#include "server/mount.h"
#include "ws/handshake.h"

namespace fanfare::server {

struct FileOptions {
  std::string directory;
  std::string index = "index.html";  // of the directory and its subdirectories; empty: none
  // Served with 200 instead of a 404 if the last segment has no dot: "index.html". Empty: never.
  std::string fallback = "";
  std::string cache_control = "no-cache";
  // File names in this directory ("assets") change with their content, so clients may cache them for a year
  // without revalidation. Empty: no such directory.
  std::string immutable_directory = "";
  std::vector<ws::OwnedHeader> headers = {};  // for every answer with a file, such as Content-Security-Policy
  bool is_open = false;                       // served without asking the router's Admission
};

// The type for the name's extension; application/octet-stream if the extension is unknown.
std::string_view content_type_of(std::string_view name);

// A range such as "bytes=0-99", applied to a file's size. RFC9110§14.1.2.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};
enum class RangeOutcome : std::uint8_t { whole, part, unsatisfiable };
// `whole`: no range, or one that must be ignored (another unit, several ranges, malformed).
RangeOutcome read_range(std::string_view header, std::uint64_t size, ByteRange& range);

class StaticFiles final : public Mount {
 public:
  // The error names the directory that cannot be opened, and the reason.
  static std::expected<std::shared_ptr<StaticFiles>, std::string> open(FileOptions options);

  Offer offer(const PathPattern::Match&) const override {
    return {.methods = "GET", .is_open = options_.is_open};
  }
  void on_request(session::HttpConnection& session, const Target& target) override;

 private:
  struct File;
  StaticFiles(FileOptions options, net::Descriptor directory)
      : options_(std::move(options)), directory_(std::move(directory)) {}

  std::optional<File> find(std::span<const std::string> segments) const;
  std::optional<File> open_file(const std::string& path) const;
  File choose_encoding(File file, http::Headers headers) const;
  void answer(session::HttpConnection& session, const http::Request& request, File file) const;

  const FileOptions options_;
  const net::Descriptor directory_;
};

}  // namespace fanfare::server
