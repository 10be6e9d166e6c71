#pragma once
// Rooms of pixels that many people draw on at the same time, with the protocols of docs/canvas.md. Browsers use
// @fanfare/client, or a WebSocket and JSON.
//
//   fanfare::Server server({.port = 9001});
//   fanfare::Canvas canvas(server);                                   // rooms are at /canvas/{room}
//   if (auto added = canvas.add({.width = 2000, .height = 2000}); !added) return fail(added.error());
//
// A room with a file survives a restart and knows its past. That needs fanfare/store.h; link with fanfare::store:
//
//   canvas.add({.name = "art", .file = "art.canvas", .sync_full = true, .disk = fanfare::canvas_disk()});

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/export.h"
#include "fanfare/http.h"
#include "fanfare/server.h"

namespace fanfare {

namespace canvasserver {
struct StorageOpener;
}  // namespace canvasserver

// What a client may do in a room.
struct CanvasVisitor {
  // All connections with this name are one user. Empty: each connection is one, or each `session` of the URL.
  std::string identity = {};
  bool draws = true;
  // Take pixels back, ban users, see who drew a pixel.
  bool moderates = false;
};

// Of all rooms of a server.
struct CanvasOptions {
  std::string path = "/canvas";  // rooms are at path + "/{room}"
  // RFC6455§10.2: origins that may connect, as in WebSocket::origins. Empty: all.
  std::vector<std::string> origins = {};
  // Called on a loop for each request about a room, after Server::admit(); its path has the name of the room as the
  // parameter "room". Nothing, or an exception: the client is answered 404. Empty: all clients may look and draw, and
  // none may moderate. The result holds for the connection's lifetime.
  std::function<std::optional<CanvasVisitor>(const Request&)> admit = {};
};

struct CanvasPixel {
  std::uint16_t x = 0;
  std::uint16_t y = 0;
  std::uint32_t colour = 0;  // in a room with a palette its index, otherwise 0xRRGGBB

  bool operator==(const CanvasPixel&) const = default;
};

// What CanvasRoom::check gets. Views are valid during the call.
struct CanvasDraw {
  std::string_view proof;    // of a pixel_update or PROVEN message, as raw JSON. Empty: none
  std::uint32_t user = 0;    // the number in the user's id: 17 for "u17"
  std::string_view address;  // who pays: an IPv4 address, or an IPv6 /64
  std::span<const CanvasPixel> pixels;
};

// How rooms keep their files, and their past: canvas_disk() of fanfare/store.h. A default one keeps neither.
class CanvasDisk {
 public:
  CanvasDisk() = default;
  explicit CanvasDisk(std::shared_ptr<const canvasserver::StorageOpener> opener)
      : opener_(std::move(opener)) {}

 private:
  friend class Canvas;
  std::shared_ptr<const canvasserver::StorageOpener> opener_;
};

struct CanvasRoom {
  std::string name = "main";            // 1 to 64 letters, digits, '-' and '_'
  std::uint32_t width = 1000;           // 1 to 65,536 pixels
  std::uint32_t height = 1000;          // the same
  std::uint32_t background = 0xffffff;  // 0xRRGGBB
  // 2 to 256 different colours 0xRRGGBB, among them the background. Empty: all 24-bit colours.
  std::vector<std::uint32_t> palette = {};

  // From one update of the clients to the next: 1 ms to 1 s. Under load it grows up to tick_max, at most 10 s.
  std::chrono::milliseconds tick{16};
  std::chrono::milliseconds tick_max{100};

  // Rates, 1 to 1,000,000. An IPv6 /64 counts as one address.
  std::chrono::milliseconds cooldown{0};  // of a user, from one pixel to the next: up to 24 h
  std::uint32_t pixels_per_second = 200;  // of a user
  std::uint32_t pixels_burst = 2'000;     // after a pause: up to 60,000,000
  std::uint32_t pixels_per_second_per_address = 1'000;
  std::uint32_t pixels_burst_per_address = 10'000;
  // Chunks of 256 x 256 pixels that were blank: up to 65,536 and 131,072. A minute's worth may come at once.
  std::uint32_t chunks_per_minute = 30;  // of a user
  std::uint32_t chunks_per_minute_per_address = 60;
  std::uint32_t users_max = 100'000;  // connected or remembered for their return
  std::uint32_t chunks_max = 1'024;   // of 256 x 256 pixels with drawn ones: up to 448 KiB of memory each

  // The room's file; its folder must exist. One program at a time. Empty: the room ends with the program. Needs `disk`.
  std::string file = {};
  // True: a pixel is acknowledged and shown after it is on disk, so not even a loss of power takes it back. False: it may
  // take back the last sync_interval, and clients then get a new epoch.
  bool sync_full = false;
  std::chrono::milliseconds sync_interval{1000};  // 1 ms or more
  // Of the file with its past; the oldest part is dropped. 1 MiB or more; zero: 4 GiB, and 64 MiB without a file.
  std::uint64_t history_bytes_max = 0;
  // Without one there is no past: no history, no undo after a restart, no picture of a past moment.
  CanvasDisk disk = {};

  // Decides about each message that draws, for example by a token or a proof of work in CanvasDraw::proof. Empty result:
  // accepted; otherwise what is missing, which the client gets as `proof_required`. An exception refuses, too. On the room's
  // thread; must not block.
  std::function<std::optional<std::string>(const CanvasDraw&)> check = {};
};

// The rooms of one server. They belong to the server; this object is a handle that can be copied.
class FANFARE_EXPORT Canvas {
 public:
  // Call before Server::start(), once per server; otherwise the process ends with a message.
  explicit Canvas(Server& server, CanvasOptions options = {});

  // Before Server::start(), from one thread. Opens the file and starts the room's thread; at most 64 rooms. Errors: wrong_state
  // after start(); bad_option, which names the field; system, with the reason why the file cannot be used.
  [[nodiscard]] Expected<void, Error> add(CanvasRoom room = {}) const;

 private:
  std::shared_ptr<api::ServerImpl> impl_;
};

}  // namespace fanfare
