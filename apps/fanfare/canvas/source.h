#pragma once
// Where the pictures of an export come from: the file of a room, or a server.

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "canvas/spec.h"
#include "canvasserver/picture.h"

namespace fanfare::app {

class PictureSource {
 public:
  template <typename Value>
  using Result = std::expected<Value, std::string>;

  PictureSource() = default;
  virtual ~PictureSource() = default;
  PictureSource(const PictureSource&) = delete;
  PictureSource& operator=(const PictureSource&) = delete;

  virtual const canvas::RoomSpec& spec() const = 0;
  // Of the first and the last pixel, in milliseconds since 1970; 0: nobody has drawn. If the log was cut, first_ms() is
  // where it begins, and nothing is known of the time before.
  virtual std::int64_t first_ms() const = 0;
  virtual std::int64_t last_ms() const = 0;
  virtual bool is_complete() const = 0;
  virtual Result<canvasserver::Picture> at(const canvas::Area& area, std::int64_t at_ms) = 0;
};

// How long an export waits before it asks again: what the server's Retry-After says, at least a second. Empty: the answer
// is final, or the server wants more than kRetryWaitMax in all. `waited`: for this picture so far.
inline constexpr std::chrono::seconds kRetryWaitMax{120};
std::optional<std::chrono::seconds> retry_wait(long status, std::optional<std::chrono::seconds> retry_after,
                                               std::chrono::seconds waited);

// Whether it is a server, and not a file.
bool is_url(std::string_view source);
// `from`: the path of a file, or http://HOST/canvas/ROOM. `token`: for a server with access control; empty: none. `note`: gets a line
// for the user, without its newline, when a server asks to wait; empty: nobody does.
std::expected<std::unique_ptr<PictureSource>, std::string> open_source(
    const std::string& from, const std::string& token, std::function<void(const std::string&)> note = {});

// The pixels of a PNG as a server's canvas makes it. The error: it is another one.
std::expected<std::vector<std::uint8_t>, std::string> pixels_of_png(std::string_view png,
                                                                    const canvas::RoomSpec& spec,
                                                                    const canvas::Area& area);

}  // namespace fanfare::app
