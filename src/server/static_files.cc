#include "server/static_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "http/headers.h"
#include "http/render.h"

namespace fanfare::server {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{128} << 10;  // read and queued at once
constexpr std::string_view kImmutable = "public, max-age=31536000, immutable";

struct TypeOfEnding {
  std::string_view ending;
  std::string_view type;
};
constexpr std::array kTypes{
    TypeOfEnding{".html", "text/html; charset=utf-8"},
    TypeOfEnding{".js", "text/javascript; charset=utf-8"},
    TypeOfEnding{".mjs", "text/javascript; charset=utf-8"},
    TypeOfEnding{".css", "text/css; charset=utf-8"},
    TypeOfEnding{".json", "application/json"},
    TypeOfEnding{".map", "application/json"},
    TypeOfEnding{".webmanifest", "application/manifest+json"},
    TypeOfEnding{".svg", "image/svg+xml"},
    TypeOfEnding{".png", "image/png"},
    TypeOfEnding{".jpg", "image/jpeg"},
    TypeOfEnding{".jpeg", "image/jpeg"},
    TypeOfEnding{".gif", "image/gif"},
    TypeOfEnding{".webp", "image/webp"},
    TypeOfEnding{".avif", "image/avif"},
    TypeOfEnding{".ico", "image/vnd.microsoft.icon"},
    TypeOfEnding{".woff2", "font/woff2"},
    TypeOfEnding{".woff", "font/woff"},
    TypeOfEnding{".ttf", "font/ttf"},
    TypeOfEnding{".txt", "text/plain; charset=utf-8"},
    TypeOfEnding{".md", "text/markdown; charset=utf-8"},
    TypeOfEnding{".xml", "application/xml"},
    TypeOfEnding{".pdf", "application/pdf"},
    TypeOfEnding{".wasm", "application/wasm"},
    TypeOfEnding{".mp4", "video/mp4"},
    TypeOfEnding{".webm", "video/webm"},
    TypeOfEnding{".mp3", "audio/mpeg"},
    TypeOfEnding{".wav", "audio/wav"},
};

std::string hex(std::uint64_t number) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return {digits.data(), end};
}

std::optional<std::uint64_t> number_of(std::string_view digits) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return value;
}

// A segment that may be a file name: not hidden, and without characters that are special to the system.
bool is_name(std::string_view segment) {
  return !segment.empty() && segment.front() != '.' &&
         segment.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

// Opens only files beneath the directory, also through symbolic links.
int open_beneath(int directory, const char* path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const long opened = ::syscall(SYS_openat2, directory, path, &how, sizeof(how));
  if (opened >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(opened);
  // If openat2 is missing or not permitted: names are checked, and the last part must not be a symbolic link.
  return ::openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
}

// Whether a coding is acceptable: listed with a weight above zero. RFC9110§12.5.3.
bool accepts(http::Headers headers, std::string_view coding) {
  for (const HeaderField& field : headers) {
    if (!http::equals_ignoring_case(field.name, "Accept-Encoding")) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      const std::size_t comma = list.find(',');
      const std::string_view element = http::trim_space(list.substr(0, comma));
      list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
      const std::size_t semicolon = element.find(';');
      if (!http::equals_ignoring_case(http::trim_space(element.substr(0, semicolon)), coding)) continue;
      if (semicolon == std::string_view::npos) return true;
      std::string_view weight = http::trim_space(element.substr(semicolon + 1));
      // "q=0", "q=0.000"
      return !(weight.starts_with("q=0") && weight.find_first_not_of("0.", 2) == std::string_view::npos);
    }
  }
  return false;
}

// RFC9110§13.1.2: whether a list of entity tags contains this one (weak comparison), or is "*".
bool names_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view one = http::trim_space(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == tag || one == "*") return true;
  }
  return false;
}

// Sends part of a file at the client's pace.
class FileBody final : public session::AnswerBody {
 public:
  FileBody(net::Descriptor file, ByteRange range)
      : file_(std::move(file)), next_(range.first), left_(range.length) {}

  void on_writable(session::HttpConnection& session) override {
    if (left_ == 0) return session.end_body();
    piece_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left_, kPieceBytes)));
    ssize_t got = 0;
    do {
      got = ::pread(file_.get(), piece_.data(), piece_.size(), static_cast<off_t>(next_));
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return session.abort_body();  // the file was truncated meanwhile
    next_ += static_cast<std::uint64_t>(got);
    left_ -= static_cast<std::uint64_t>(got);
    if (session.write_body(Bytes(piece_).first(static_cast<std::size_t>(got))) ==
        session::SendResult::closed) {
      return;
    }
    if (left_ == 0) session.end_body();
  }

 private:
  net::Descriptor file_;
  std::uint64_t next_;
  std::uint64_t left_;
  std::vector<std::uint8_t> piece_;
};

}  // namespace

struct StaticFiles::File {
  net::Descriptor descriptor;
  std::string path;  // beneath the directory
  std::uint64_t size = 0;
  std::int64_t modified_s = 0;
  std::string tag;                 // quoted
  std::string_view encoding = {};  // of the chosen file; empty: none
  bool may_vary = false;           // an encoded version exists
  bool is_fallback = false;
  bool is_index = false;  // of a directory that was requested without a trailing slash
};

std::string_view content_type_of(std::string_view name) {
  const auto found = std::ranges::find_if(kTypes, [&](const TypeOfEnding& type) {
    return name.size() >= type.ending.size() &&
           http::equals_ignoring_case(name.substr(name.size() - type.ending.size()), type.ending);
  });
  return found == kTypes.end() ? "application/octet-stream" : found->type;
}

RangeOutcome read_range(std::string_view header, std::uint64_t size, ByteRange& range) {
  range = {.first = 0, .length = size};
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return RangeOutcome::whole;
  const std::string_view text = http::trim_space(header.substr(kUnit.size()));
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos || text.contains(',')) return RangeOutcome::whole;
  const std::string_view from = text.substr(0, dash);
  const std::string_view to = text.substr(dash + 1);
  const auto first = number_of(from);
  const auto last = number_of(to);
  if ((!from.empty() && !first) || (!to.empty() && !last) || (!first && !last)) return RangeOutcome::whole;
  if (!first) {  // the last N bytes
    if (*last == 0 || size == 0) return RangeOutcome::unsatisfiable;
    range.length = std::min(*last, size);
    range.first = size - range.length;
    return RangeOutcome::part;
  }
  if (last && *last < *first) return RangeOutcome::whole;
  if (*first >= size) return RangeOutcome::unsatisfiable;
  range.first = *first;
  range.length = std::min(last.value_or(size - 1), size - 1) - *first + 1;
  return RangeOutcome::part;
}

std::expected<std::shared_ptr<StaticFiles>, std::string> StaticFiles::open(FileOptions options) {
  net::Descriptor directory(::open(options.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) {
    return std::unexpected("directory \"" + options.directory + "\": " + std::strerror(errno));
  }
  return std::shared_ptr<StaticFiles>(new StaticFiles(std::move(options), std::move(directory)));
}

std::optional<StaticFiles::File> StaticFiles::open_file(const std::string& path) const {
  File file{.descriptor = net::Descriptor(open_beneath(directory_.get(), path.c_str())), .path = path};
  struct stat found{};
  if (!file.descriptor.valid() || ::fstat(file.descriptor.get(), &found) != 0) return std::nullopt;
  if (!S_ISREG(found.st_mode)) return std::nullopt;
  file.size = static_cast<std::uint64_t>(found.st_size);
  file.modified_s = found.st_mtim.tv_sec;
  const auto modified_ns = static_cast<std::uint64_t>(found.st_mtim.tv_sec) * 1'000'000'000U +
                           static_cast<std::uint64_t>(found.st_mtim.tv_nsec);
  file.tag.append("\"").append(hex(modified_ns)).append("-").append(hex(file.size)).append("\"");
  return file;
}

std::optional<StaticFiles::File> StaticFiles::find(std::span<const std::string> segments) const {
  const bool ends_in_slash = !segments.empty() && segments.back().empty();
  if (ends_in_slash) segments = segments.first(segments.size() - 1);
  std::string path;
  for (const std::string& segment : segments) {
    if (!is_name(segment)) return std::nullopt;
    if (!path.empty()) path += '/';
    path += segment;
  }
  if (path.size() >= PATH_MAX) return std::nullopt;
  if (!path.empty() && !ends_in_slash) {
    if (auto file = open_file(path)) return file;
  }
  if (!options_.index.empty()) {
    if (auto file = open_file(path.empty() ? options_.index : path + "/" + options_.index)) {
      file->is_index = !path.empty() && !ends_in_slash;
      return file;
    }
  }
  const bool is_page = segments.empty() || !segments.back().contains('.');
  if (options_.fallback.empty() || !is_page) return std::nullopt;
  auto file = open_file(options_.fallback);
  if (file) file->is_fallback = true;
  return file;
}

StaticFiles::File StaticFiles::choose_encoding(File file, http::Headers headers) const {
  struct Twin {
    std::string_view coding;
    std::string_view ending;
  };
  File chosen = std::move(file);
  const std::string path = chosen.path;
  bool may_vary = false;
  bool is_chosen = false;
  for (const Twin& twin : {Twin{"br", ".br"}, Twin{"gzip", ".gz"}}) {
    auto encoded = open_file(path + std::string(twin.ending));
    if (!encoded) continue;
    may_vary = true;
    if (is_chosen || !accepts(headers, twin.coding)) continue;
    const bool is_fallback = chosen.is_fallback;
    chosen = *std::move(encoded);
    chosen.path = path;
    chosen.encoding = twin.coding;
    chosen.is_fallback = is_fallback;
    is_chosen = true;
  }
  chosen.may_vary = may_vary;
  return chosen;
}

void StaticFiles::on_request(session::HttpConnection& session, const Target& target) {
  auto file = find(target.match.rest);
  if (!file) return session.respond({.status = 404, .body = "there is no such file\n", .headers = {}});
  if (file->is_index) {
    // A page's relative links are resolved against the last slash of its URL.
    std::string location = std::string(target.request.path) + "/";
    if (!target.request.query.empty()) location.append("?").append(target.request.query);
    return session.respond(
        {.status = 308, .body = "", .headers = {{.name = "Location", .value = std::move(location)}}});
  }
  answer(session, target.request, choose_encoding(*std::move(file), target.request.headers));
}

void StaticFiles::answer(session::HttpConnection& session, const http::Request& request, File file) const {
  const http::Headers asked = request.headers;
  const std::string modified = http::format_date(WallTime(std::chrono::seconds(file.modified_s)));
  const bool is_immutable = !options_.immutable_directory.empty() && !file.is_fallback &&
                            file.path.starts_with(options_.immutable_directory + "/");
  session::HttpResponse response{
      .content_type = std::string(content_type_of(file.path)), .body = "", .headers = options_.headers};
  const auto add = [&](std::string_view name, std::string value) {
    response.headers.push_back({.name = std::string(name), .value = std::move(value)});
  };
  add("ETag", file.tag);
  add("Last-Modified", modified);
  add("Cache-Control", is_immutable ? std::string(kImmutable) : options_.cache_control);
  add("X-Content-Type-Options", "nosniff");
  if (file.may_vary) add("Vary", "Accept-Encoding");
  const auto none_match = http::find_header(asked, "If-None-Match");
  // RFC9110§13.1.3: the date counts only without a tag. An exact comparison suffices, because we sent that
  // date.
  const bool is_known = none_match ? names_tag(*none_match, file.tag)
                                   : http::find_header(asked, "If-Modified-Since") == modified;
  if (is_known) {
    response.status = 304;
    response.content_type = "";
    return session.respond(response);
  }
  if (!file.encoding.empty()) add("Content-Encoding", std::string(file.encoding));
  add("Accept-Ranges", "bytes");
  ByteRange range{.first = 0, .length = file.size};
  const auto if_range = http::find_header(asked, "If-Range");
  const auto wanted = http::find_header(asked, "Range");
  if (wanted && (!if_range || *if_range == file.tag || *if_range == modified)) {
    switch (read_range(*wanted, file.size, range)) {
      case RangeOutcome::whole:
        break;
      case RangeOutcome::unsatisfiable:
        response.status = 416;
        response.content_type = "text/plain; charset=utf-8";
        response.body = "the range is outside of the file\n";
        std::erase_if(response.headers, [](const auto& header) { return header.name == "Content-Encoding"; });
        add("Content-Range", "bytes */" + std::to_string(file.size));
        return session.respond(response);
      case RangeOutcome::part:
        response.status = 206;
        add("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                 std::to_string(range.first + range.length - 1) + "/" +
                                 std::to_string(file.size));
        break;
    }
  }
  session.start_body(response, range.length, std::make_unique<FileBody>(std::move(file.descriptor), range));
}

}  // namespace fanfare::server
