// Random interleavings of writers, watchers, slow readers, disconnects, late joins and restarts. A client knows only the
// bytes that it gets, when it gets them, and ends with the server's pixels and hashes. A failure prints its seed;
// CANVAS_SEEDS=N runs more of them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>

#include "base/random.h"
#include "canvas/client_message.h"
#include "canvas/json_messages.h"
#include "canvas/room.h"
#include "canvas/simulation_peers_for_tests.h"

namespace fanfare::canvas {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kClients = 6;
constexpr std::size_t kJsonClients = 2;
constexpr int kSteps = 500;

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed), spec_(spec_of(seed)) {
    limits_.history_ticks_per_chunk_max = 1 + random_.below(20);
    limits_.history_bytes_per_chunk_max = 50 + random_.below(2000);
    limits_.undo_pixels_max = 200;
    if (random_.below(2) == 0) limits_.snapshot_bytes_max = random_.below(3000);
    limits_.pixels_per_user = {.per_second = 2000, .burst = 100};
    start_room();
  }

  void run() {
    for (int i = 0; i < kSteps && !testing::Test::HasFailure(); ++i) step();
    finish();
  }

 private:
  void start_room() {
    room_ = std::make_unique<Room>(RoomOptions{.spec = spec_,
                                               .limits = limits_,
                                               .epoch = epoch_,
                                               .first_user = next_user_,
                                               .last_tick = last_tick_});
  }

  void step() {
    now_ += milliseconds(random_.below(10));
    Peer& peer = peers_[random_.below(kClients)];
    JsonPeer& json = json_peers_[random_.below(kJsonClients)];
    switch (random_.below(25)) {
      case 0:
        return peer.is_connected ? disconnect(peer) : connect(peer);
      case 1:
        return json.is_connected ? disconnect(json) : connect(json);
      case 2:
        if (random_.below(5) == 0) restart(random_.below(3) == 0);
        return;
      case 4:
        peer.is_slow = peer.is_connected && !peer.is_slow;
        return;
      case 5:
      case 6:
        return watch(peer);
      case 7:
        return undo(peer);
      case 8:
        return moderate();
      case 9:
      case 10:
      case 11:
        return finish_tick();
      case 13:
        if (peer.is_connected) fetch(peer);
        return;
      case 14:
      case 15:
      case 16:
        return to_server(peer);
      case 17:
      case 18:
        return to_client(peer);
      case 20:
        return deliver(json);
      default:
        return draw(peer);
    }
  }

  Now now() const { return {.instant = now_, .wall_ms = 1}; }

  void connect(Peer& peer) {
    const std::string session = "session " + std::to_string(&peer - peers_.data());
    const User* const user = room_->join({.identity = session, .payer = "1"});
    ASSERT_NE(user, nullptr);
    next_user_ = std::max(next_user_, user->number + 1);
    peer.user = user->number;
    peer.is_connected = true;
    ByteVector welcome;
    append_welcome(welcome, spec_, limits_,
                   {.epoch = epoch_, .user_id = user_id_of(user->number), .user = user->number});
    peer.to_client.push_back(welcome);
  }

  // What is in the pipes is lost.
  void disconnect(Peer& peer) {
    if (!peer.is_connected) return;
    room_->leave(peer.user);
    peer.is_connected = false;
    peer.to_client.clear();
    peer.to_server.clear();
    peer.watched.reset();
    peer.is_slow = false;
    peer.lacks.clear();
  }

  void connect(JsonPeer& peer) {
    peer.is_connected = true;
    peer.reader.emplace(Area::whole(spec_));
  }
  static void disconnect(JsonPeer& peer) { peer = {}; }

  // Without loss: all versions are known afterwards, as with `sync: full`. Otherwise all is as at the last save.
  void restart(bool is_lossy) {
    for (Peer& peer : peers_) disconnect(peer);
    for (JsonPeer& peer : json_peers_) disconnect(peer);
    if (room_->has_changes()) finish_tick();
    if (is_lossy) {
      ++epoch_;
    } else {
      save();
    }
    start_room();
    for (const auto& [id, saved] : saved_) {
      ASSERT_TRUE(room_->load(ChunkId::of_key(id), saved.version, saved.colours, saved.authors));
    }
    replayed_ = saved_replay_;
  }

  void save() {
    saved_.clear();
    for (const ChunkId id : room_->board().chunks()) {
      const Chunk& chunk = *room_->board().find(id);
      Saved& saved = saved_[id.key()];
      saved.version = chunk.version();
      chunk.copy_colours(saved.colours);
      saved.authors = authors_of(chunk, spec_);
    }
    saved_replay_ = replayed_;
  }

  Pixel random_pixel() {
    // Mostly in a few places, so that people draw over each other.
    const bool is_near = random_.below(3) != 0;
    return {.x = static_cast<std::uint16_t>(is_near ? 250 + random_.below(12) : random_.below(spec_.width)),
            .y = static_cast<std::uint16_t>(is_near ? 250 + random_.below(12) : random_.below(spec_.height)),
            .colour = static_cast<Colour>(random_.below(spec_.has_palette() ? 4 : 0x1000000))};
  }

  void draw(Peer& peer) {
    if (!peer.is_connected || peer.client.user != peer.user) return;
    std::vector<Pixel> pixels(1 + random_.below(random_.below(10) == 0 ? 200 : 12));
    for (Pixel& pixel : pixels) pixel = random_pixel();
    peer.to_server.push_back(pixels_message(pixels, spec_.has_palette()));
  }

  void undo(Peer& peer) {
    if (peer.is_connected) peer.to_server.push_back({5, 1, static_cast<std::uint8_t>(1 + random_.below(20))});
  }

  void fetch(Peer& peer) {
    if (!peer.watched) return;
    // Only what it watches and what it has been given: a chunk that is on its way is not asked for.
    peer.to_server.push_back({3, peer.watched->x0, peer.watched->y0});
  }

  void watch(Peer& peer) {
    // A client watches after it has read WELCOME.
    if (!peer.is_connected || peer.client.user != peer.user || peer.client.epoch != epoch_) return;
    const auto x0 = static_cast<unsigned>(random_.below(2));
    const auto y0 = static_cast<unsigned>(random_.below(2));
    const auto x1 = x0 + static_cast<unsigned>(random_.below(2 - x0));
    const auto y1 = y0 + static_cast<unsigned>(random_.below(2 - y0));
    peer.to_server.push_back(peer.client.watch(x0, y0, x1, y1, random_.below(4) != 0));
  }

  void moderate() {
    if (random_.below(10) != 0) return;
    Restoration found{.from = room_->last_tick(), .pixels = {}};
    for (int i = 0; i < 50; ++i) {
      const Pixel pixel = random_pixel();
      found.pixels.push_back({.x = pixel.x,
                              .y = pixel.y,
                              .author = static_cast<UserNumber>(random_.below(3)),
                              .colour = pixel.colour});
    }
    const Actor moderator{.user = 1, .payer = "1", .rights = {.draw = true, .moderate = true}};
    ASSERT_TRUE(room_->restore(moderator, {.kind = ModerationEvent::Kind::rollback}, found));
  }

  void send(Peer& peer, const std::vector<SharedBytes>& frames) {
    for (const SharedBytes& frame : frames) peer.to_client.push_back(payload_of(frame));
  }

  void to_server(Peer& peer) {
    if (peer.to_server.empty()) return;
    const auto message = parse_client_message(peer.to_server.front(), spec_, limits_.watched_chunks_max);
    peer.to_server.pop_front();
    ASSERT_TRUE(message);
    const Actor actor{.user = peer.user, .payer = "1"};
    if (const auto* pixels = std::get_if<PixelsMessage>(&*message)) {
      acknowledge(peer, pixels->request, room_->draw(actor, pixels->pixels, {}, now()));
    } else if (const auto* undo = std::get_if<UndoMessage>(&*message)) {
      acknowledge(peer, undo->request, room_->undo(actor, undo->count, now()));
    } else if (const auto* watched = std::get_if<WatchMessage>(&*message)) {
      start_watching(peer, *watched);
    } else if (const auto* wanted = std::get_if<FetchMessage>(&*message)) {
      if (!peer.watched || !peer.watched->contains(wanted->chunk)) return;
      peer.lacks.erase(wanted->chunk.key());
      send(peer, room_->fetch(wanted->chunk));
    }
  }

  // At once, or in parts while the client reads.
  void start_watching(Peer& peer, const WatchMessage& message) {
    if (random_.below(2) == 0) {
      while (!peer.lacks.empty()) catch_up(peer);
      send(peer, room_->watch(message.area, peer.watched, message.epoch, message.known));
    } else {
      std::erase_if(peer.lacks,
                    [&](const auto& one) { return !message.area.contains(ChunkId::of_key(one.first)); });
      for (unsigned y = message.area.y0; y <= message.area.y1; ++y) {
        for (unsigned x = message.area.x0; x <= message.area.x1; ++x) {
          const ChunkId id{.x = static_cast<std::uint8_t>(x), .y = static_cast<std::uint8_t>(y)};
          if (!peer.watched || !peer.watched->contains(id)) peer.lacks[id.key()];
        }
      }
      for (const KnownChunk& known : message.known) {
        if (peer.watched && peer.watched->contains(known.id)) continue;
        if (message.epoch == epoch_) peer.lacks[known.id.key()] = known.version;
      }
    }
    peer.watched = message.area;
  }

  static void acknowledge(Peer& peer, std::uint32_t request, const DrawResult& result) {
    ByteVector ack;
    append_ack(ack, request, result.accepted, result.error);
    peer.to_client.push_back(ack);
  }

  // Brings a part of what the client lacks up to date.
  void catch_up(Peer& peer) {
    std::vector<ChunkId> wanted;
    std::vector<KnownChunk> known;
    while (!peer.lacks.empty() && wanted.size() < 2) {
      const auto [key, version] = *peer.lacks.begin();
      wanted.push_back(ChunkId::of_key(key));
      if (version) known.push_back({.id = ChunkId::of_key(key), .version = *version});
      peer.lacks.erase(peer.lacks.begin());
    }
    send(peer, room_->frames_for(wanted, known));
  }

  void to_client(Peer& peer) {
    if (peer.to_client.empty()) {
      peer.is_slow = false;
      return catch_up(peer);
    }
    peer.client.receive(peer.to_client.front());
    peer.to_client.pop_front();
  }

  void deliver(JsonPeer& peer) {
    if (!peer.is_connected) return;
    if (peer.reader) {
      if (const auto message = peer.reader->next(room_->board())) peer.to_client.push_back(*message);
      if (peer.reader->is_complete()) peer.reader.reset();
    }
    for (; !peer.to_client.empty(); peer.to_client.pop_front()) peer.read(peer.to_client.front());
  }

  void finish_tick() {
    const Tick tick = room_->finish_tick();
    if (tick.is_empty()) return;
    EXPECT_EQ(tick.number, last_tick_ + 1);
    last_tick_ = tick.number;
    replayed_.add(tick);
    if (random_.below(10) == 0) save();
    for (Peer& peer : peers_) {
      if (!peer.watched) continue;
      std::vector<SharedBytes> sections;
      for (const ChunkTick& chunk : tick.chunks) {
        if (!peer.watched->contains(chunk.chunk)) continue;
        if (peer.lacks.contains(chunk.chunk.key())) continue;
        if (peer.is_slow) {
          peer.lacks[chunk.chunk.key()] = chunk.version - 1;
        } else {
          sections.push_back(chunk.section);
        }
      }
      if (!sections.empty()) peer.to_client.push_back(payload_of(tick_frame(tick.number, sections)));
    }
    for (JsonPeer& peer : json_peers_) {
      if (!peer.is_connected) continue;
      for (const ChunkTick& chunk : tick.chunks) {
        for (const TickPixel& pixel : chunk.pixels) {
          peer.to_client.push_back(pixel_changed_message(spec_, chunk.chunk, pixel));
        }
      }
    }
  }

  // All are connected, watch everything and have read everything.
  void finish() {
    for (Peer& peer : peers_) {
      if (!peer.is_connected) connect(peer);
      while (!peer.to_server.empty()) to_server(peer);
      while (!peer.to_client.empty()) to_client(peer);
      peer.to_server.push_back(peer.client.watch(0, 0, 1, 1));
      to_server(peer);
    }
    for (JsonPeer& peer : json_peers_) {
      if (!peer.is_connected) connect(peer);
      while (peer.reader) deliver(peer);
    }
    while (room_->has_changes()) finish_tick();
    for (Peer& peer : peers_) {
      while (!peer.to_client.empty() || !peer.lacks.empty()) to_client(peer);
      for (const ChunkId id : room_->board().chunks()) {
        const Chunk& chunk = *room_->board().find(id);
        const auto& held = peer.client.held.at({id.x, id.y});
        EXPECT_EQ(held.version, chunk.version());
        EXPECT_EQ(held.hash, chunk.hash());
      }
    }
    for (JsonPeer& peer : json_peers_) deliver(peer);
    compare_pixels();
  }

  void compare_pixels() {
    std::size_t wrong = 0;
    const TickPixel blank{.colour = spec_.background_colour()};
    for (std::uint32_t y = 0; y < spec_.height; ++y) {
      for (std::uint32_t x = 0; x < spec_.width; ++x) {
        const auto px = static_cast<std::uint16_t>(x);
        const auto py = static_cast<std::uint16_t>(y);
        const Colour colour = room_->board().colour_at(px, py);
        const auto found = replayed_.pixels.find((y << 16U) | x);
        const TickPixel& logged = found == replayed_.pixels.end() ? blank : found->second;
        wrong += colour != logged.colour || room_->board().author_at(px, py) != logged.user ? 1 : 0;
        for (const Peer& peer : peers_) wrong += peer.client.at(x, y) != colour ? 1 : 0;
        if (colour == blank.colour && found == replayed_.pixels.end()) continue;
        for (const JsonPeer& peer : json_peers_) {
          const auto known = peer.pixels.find({x, y});
          const std::string seen = known == peer.pixels.end() ? colour_text(spec_.background) : known->second;
          wrong += seen != colour_text(spec_.rgb_of(colour)) ? 1 : 0;
        }
        ASSERT_EQ(wrong, 0U) << x << " " << y;
      }
    }
    EXPECT_EQ(wrong, 0U);
  }

  struct Saved {
    Version version = 0;
    std::vector<std::uint8_t> colours;
    std::vector<UserNumber> authors;
  };

  SeededRandom random_;
  RoomSpec spec_;
  Limits limits_;
  Instant now_{std::chrono::hours(1)};
  std::uint64_t epoch_ = 1;
  UserNumber next_user_ = 1;
  std::uint64_t last_tick_ = 0;
  std::unique_ptr<Room> room_;
  std::array<Peer, kClients> peers_;
  std::array<JsonPeer, kJsonClients> json_peers_;
  Replayed replayed_;
  std::map<std::uint16_t, Saved> saved_;
  Replayed saved_replay_;
};

TEST(Simulation, EachClientEndsWithTheServersPixelsAndHashes) {
  const char* const more = std::getenv("CANVAS_SEEDS");
  const int seeds = more == nullptr ? 8 : std::atoi(more);
  for (int seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation(static_cast<std::uint64_t>(seed)).run();
  }
}

}  // namespace
}  // namespace fanfare::canvas
