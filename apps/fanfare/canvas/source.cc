#include "canvas/source.h"

#include <curl/curl.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "canvasstore/room_file.h"

namespace fanfare::app {

using canvas::Area;
using canvasserver::Picture;

namespace {

class FileSource final : public PictureSource {
 public:
  FileSource(canvasstore::OpenPast past, canvasserver::PastLog::Span span)
      : past_(std::move(past)), span_(span) {}
  const canvas::RoomSpec& spec() const override { return *past_.spec; }
  std::int64_t first_ms() const override { return span_.first_ms; }
  std::int64_t last_ms() const override { return span_.last_ms; }
  bool is_complete() const override { return span_.is_complete; }
  Result<Picture> at(const Area& area, std::int64_t at_ms) override {
    const auto chunks = past_.past->chunks_at(area, at_ms, false);
    if (!chunks) return std::unexpected(chunks.error());
    Picture picture = canvasserver::blank_picture(spec(), area);
    for (const auto& chunk : *chunks) canvasserver::draw(picture, spec(), chunk);
    return picture;
  }

 private:
  canvasstore::OpenPast past_;
  const canvasserver::PastLog::Span span_;
};

std::size_t append_body(char* data, std::size_t size, std::size_t count, void* to) {
  static_cast<std::string*>(to)->append(data, size * count);
  return size * count;
}

// GET; the error is what the server says.
class HttpGet {
 public:
  HttpGet(const std::string& token, std::function<void(const std::string&)> note)
      : note_(std::move(note)), curl_(curl_easy_init()) {
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &append_body);
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT, 60L);
    if (token.empty()) return;
    headers_ = curl_slist_append(nullptr, ("Authorization: Bearer " + token).c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers_);
  }
  HttpGet(const HttpGet&) = delete;
  HttpGet& operator=(const HttpGet&) = delete;
  ~HttpGet() {
    curl_slist_free_all(headers_);
    curl_easy_cleanup(curl_);
  }
  // A server that is busy is asked again.
  std::expected<std::string, std::string> get(const std::string& url) {
    std::chrono::seconds waited{};
    for (;;) {
      std::string body;
      curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
      curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &body);
      const CURLcode done = curl_easy_perform(curl_);
      if (done != CURLE_OK) return std::unexpected(url + ": " + curl_easy_strerror(done));
      long status = 0;
      curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
      if (status == 200) return body;
      const auto wait = retry_wait(status, retry_after(), waited);
      if (!wait) {
        while (body.ends_with('\n')) body.pop_back();
        return std::unexpected(url + " was answered " + std::to_string(status) + ": " + body);
      }
      if (note_) {
        note_("the server is busy (" + std::to_string(status) + "), asking again in " +
              std::to_string(wait->count()) + " s");
      }
      std::this_thread::sleep_for(*wait);
      waited += *wait;
    }
  }

 private:
  std::optional<std::chrono::seconds> retry_after() const {
    curl_header* header = nullptr;
    if (curl_easy_header(curl_, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
      return std::nullopt;
    curl_off_t wait = 0;
    curl_easy_getinfo(curl_, CURLINFO_RETRY_AFTER, &wait);
    return std::chrono::seconds(wait);
  }

  const std::function<void(const std::string&)> note_;
  CURL* curl_;
  curl_slist* headers_ = nullptr;
};

// The value behind "key": in what /info answers; empty: null, or not there.
std::optional<std::string_view> member_of(std::string_view json, const std::string& key) {
  const std::size_t at = json.find("\"" + key + "\":");
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view value = json.substr(at + key.size() + 3);
  if (value.starts_with('[')) return value.substr(1, value.find(']') - 1);
  value = value.substr(0, value.find_first_of(",}"));
  if (value == "null") return std::nullopt;
  return value;
}
std::int64_t number_of(std::optional<std::string_view> text) {
  std::int64_t number = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}
// "#rrggbb" in quotes.
std::uint32_t colour_of(std::string_view text) {
  std::uint32_t colour = 0;
  if (text.size() >= 8) std::from_chars(text.data() + 2, text.data() + 8, colour, 16);
  return colour;
}

class ServerSource final : public PictureSource {
 public:
  ServerSource(std::string url, const std::string& token, std::function<void(const std::string&)> note)
      : url_(std::move(url)), http_(token, std::move(note)) {}
  std::expected<void, std::string> open() {
    const auto info = http_.get(url_ + "/info");
    if (!info) return std::unexpected(info.error());
    spec_.width = static_cast<std::uint32_t>(number_of(member_of(*info, "width")));
    spec_.height = static_cast<std::uint32_t>(number_of(member_of(*info, "height")));
    spec_.background = colour_of(member_of(*info, "background").value_or(""));
    std::string_view palette = member_of(*info, "palette").value_or("");
    for (; palette.size() >= 9; palette.remove_prefix(std::min<std::size_t>(palette.size(), 10))) {
      spec_.palette.push_back(colour_of(palette));
    }
    first_ms_ = number_of(member_of(*info, "first_ms"));
    last_ms_ = number_of(member_of(*info, "last_ms"));
    is_complete_ = member_of(*info, "past_is_complete") != "false";
    if (!canvas::problem_with(spec_)) return {};
    return std::unexpected(url_ + "/info does not describe a room of a canvas");
  }
  const canvas::RoomSpec& spec() const override { return spec_; }
  std::int64_t first_ms() const override { return first_ms_; }
  std::int64_t last_ms() const override { return last_ms_; }
  bool is_complete() const override { return is_complete_; }
  Result<Picture> at(const Area& area, std::int64_t at_ms) override {
    const auto png =
        http_.get(url_ + "/image.png?at=" + std::to_string(at_ms) + "&x=" + std::to_string(area.x) +
                  "&y=" + std::to_string(area.y) + "&width=" + std::to_string(area.width) +
                  "&height=" + std::to_string(area.height));
    if (!png) return std::unexpected(png.error());
    auto pixels = pixels_of_png(*png, spec_, area);
    if (!pixels) return std::unexpected(pixels.error());
    return Picture{.area = area, .pixels = *std::move(pixels)};
  }

 private:
  const std::string url_;
  HttpGet http_;
  canvas::RoomSpec spec_;
  std::int64_t first_ms_ = 0;
  std::int64_t last_ms_ = 0;
  bool is_complete_ = true;
};

std::uint32_t u32_at(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes.substr(0, 4)) number = number << 8U | static_cast<std::uint8_t>(byte);
  return number;
}

}  // namespace

std::expected<std::vector<std::uint8_t>, std::string> pixels_of_png(std::string_view png,
                                                                    const canvas::RoomSpec& spec,
                                                                    const Area& area) {
  const auto other = [] {
    return std::unexpected(std::string("the server's picture is not that of a canvas"));
  };
  if (!png.starts_with(canvasserver::kPngSignature)) return other();
  png.remove_prefix(canvasserver::kPngSignature.size());
  std::string data;
  while (png.size() >= 12) {
    const std::size_t size = u32_at(png);
    if (png.size() - 12 < size) return other();
    if (png.substr(4, 4) == "IDAT") data += png.substr(8, size);
    png.remove_prefix(size + 12);
  }
  const std::size_t row = area.width * spec.bytes_per_colour();
  std::vector<std::uint8_t> raw((row + 1) * area.height);
  uLongf size = raw.size();
  const auto* const packed = reinterpret_cast<const Bytef*>(data.data());
  if (uncompress(raw.data(), &size, packed, data.size()) != Z_OK || size != raw.size()) return other();
  std::vector<std::uint8_t> pixels;
  pixels.reserve(row * area.height);
  for (std::size_t at = 0; at < raw.size(); at += row + 1) {
    if (raw[at] != 0) return other();
    pixels.insert(pixels.end(), raw.begin() + static_cast<std::ptrdiff_t>(at + 1),
                  raw.begin() + static_cast<std::ptrdiff_t>(at + 1 + row));
  }
  return pixels;
}

std::optional<std::chrono::seconds> retry_wait(long status, std::optional<std::chrono::seconds> retry_after,
                                               std::chrono::seconds waited) {
  constexpr long kTooManyRequests = 429;
  constexpr long kUnavailable = 503;
  if ((status != kTooManyRequests && status != kUnavailable) || !retry_after) return std::nullopt;
  const auto wait = std::max(*retry_after, std::chrono::seconds(1));
  if (wait > kRetryWaitMax - waited) return std::nullopt;
  return wait;
}

bool is_url(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://");
}

std::expected<std::unique_ptr<PictureSource>, std::string> open_source(
    const std::string& from, const std::string& token, std::function<void(const std::string&)> note) {
  if (is_url(from)) {
    auto server = std::make_unique<ServerSource>(from.ends_with('/') ? from.substr(0, from.size() - 1) : from,
                                                 token, std::move(note));
    if (auto opened = server->open(); !opened) return std::unexpected(std::move(opened.error()));
    return server;
  }
  auto past = canvasstore::open_past(from);
  if (!past) return std::unexpected(std::move(past.error().message));
  const auto span = past->past->span();
  if (!span) return std::unexpected(span.error());
  return std::make_unique<FileSource>(*std::move(past), *span);
}

}  // namespace fanfare::app
