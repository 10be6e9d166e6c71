// The canvas over real connections, on both loops: what clients of either protocol get and when, and who may.
#include <set>
#include <string>

#include "canvasserver/server_for_tests.h"

namespace fanfare::canvasserver {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// PIXELS: request 1, one pixel at 1, 1 with this colour.
const std::string kDraw("\x01\x01\x01\x01\x00\x01\x00\xaa\xbb\xcc", 10);
// The section of that in a TICK: chunk 0,0, version 1.
const std::string kSection("\x00\x00\x01", 3);
// ACK of request 1: 1 accepted, status 0, no wait, as a whole frame.
const std::string kAck("\x82\x05\x85\x01\x01\x00\x00", 7);

TEST_P(CanvasServerTest, AJsonClientGetsWelcomeStateAndChanges) {
  begin();
  const net::Descriptor peer = upgrade("/canvas/main?name=Ann&color=00ff00");
  const std::string start = read_until(peer, "\"complete\":true");
  EXPECT_THAT(start, HasSubstr(R"({"type":"welcome","user_id":"u1","room":"main","width":300,"height":300)"));
  EXPECT_THAT(start, Not(HasSubstr("Sec-WebSocket-Protocol")));
  say(peer, R"({"type":"pixel_update","x":1,"y":2,"color":"#aabbcc","id":7})");
  const std::string text = read_until(peer, R"({"type":"ok","id":7})");
  EXPECT_LT(text.find(R"({"type":"pixel_changed","x":1,"y":2,"color":"#aabbcc","user_id":"u1"})"),
            text.find("\"ok\""));
  const net::Descriptor other = open_json("/canvas/main?name=Bob");
  EXPECT_THAT(read_until(peer, R"("name":"Bob")"), HasSubstr(R"({"type":"user_joined","user_id":"u2")"));
  say(other, R"({"type":"cursor_move","x":9,"y":9})");
  read_until(peer, R"({"type":"cursor","user_id":"u2","x":9,"y":9})");
}

TEST_P(CanvasServerTest, ANewcomerLearnsAllOfFiveHundredUsersInEitherProtocol) {
  begin();
  room().post([](RoomThread& there) {
    for (int i = 0; i < 500; ++i) {
      there.room().join({.identity = "user" + std::to_string(i), .name = "n", .payer = "1"});
    }
    // Otherwise they would come as news, too.
    there.room().presence().forget_news();
  });
  // The answer to one `users`, as far as its last field; what comes before it is skipped.
  const auto ask = [&](const net::Descriptor& peer, const std::string& after) {
    say(peer, R"({"type":"users","id":1)" + after + "}");
    std::string text;
    std::size_t begin = std::string::npos;
    EXPECT_TRUE(run_until([&] {
      text += read_now(peer);
      begin = text.find(R"({"type":"users","id":1)");
      return begin != std::string::npos && text.find("e}", begin) != std::string::npos;
    }));
    return text.substr(begin, text.find("e}", begin) + 2 - begin);
  };
  for (const bool is_binary : {false, true}) {
    // Both connections belong to one user. Otherwise the report that the first user left might still be due.
    const std::string target = "/canvas/main?session=newcomer";
    const net::Descriptor peer = is_binary ? open_binary(target) : open_json(target);
    std::set<std::string> known;
    std::string after;
    for (const bool is_last : {false, false, true}) {
      const std::string page = ask(peer, after);
      EXPECT_THAT(page, HasSubstr(is_last ? "\"complete\":true" : "\"complete\":false"));
      std::string last;
      for (std::size_t at = 0; (at = page.find("\"user_id\":", at)) != std::string::npos;) {
        at += 10;
        last = page.substr(at, page.find(',', at) - at);
        EXPECT_TRUE(known.insert(last).second) << last << " twice";
      }
      after = ",\"after\":" + last;
    }
    EXPECT_EQ(known.size(), 501U) << "with the newcomer";
  }
}

TEST_P(CanvasServerTest, EachUserIsToldOnceInWelcomeOrAsJoined) {
  begin();
  std::vector<std::pair<net::Descriptor, std::string>> peers;
  const auto expect_named = [&](std::size_t users) {
    EXPECT_TRUE(run_until([&] {
      bool all = true;
      for (auto& [peer, text] : peers) {
        text += read_now(peer);
        for (std::size_t user = 1; user <= users; ++user)
          all = all && text.contains("\"user_id\":\"u" + std::to_string(user) + "\",\"name\"");
      }
      return all;
    }));
  };
  for (int i = 0; i < 4; ++i) peers.emplace_back(upgrade("/canvas/main"), "");
  expect_named(4);
  // What would name one of them again comes before this one.
  peers.emplace_back(upgrade("/canvas/main"), "");
  expect_named(5);
  for (const auto& [peer, text] : peers) {
    for (int user = 1; user <= 5; ++user) {
      const std::string name = "\"user_id\":\"u" + std::to_string(user) + "\",\"name\"";
      EXPECT_EQ(text.find(name), text.rfind(name)) << user << " twice: " << text;
    }
  }
}

TEST_P(CanvasServerTest, OfADamagedRoomNothingIsServed) {
  const auto chunk_of = [](canvas::ChunkId id, canvas::Colour colour) {
    StoredChunk chunk{.chunk = id, .version = 1, .pixels = {}};
    chunk.pixels.colours.assign(canvas::kChunkPixels, 0);
    chunk.pixels.users.assign(canvas::kChunkPixels, 0);
    chunk.pixels.colours[5] = colour;
    return chunk;
  };
  const RoomPlan plan{.spec = {.width = 300, .height = 300, .background = 0, .palette = {0, 0xff0000}}};
  const auto problem_of = [&](std::vector<StoredChunk> chunks) {
    const auto state = std::make_shared<StorageState>();
    state->loaded.chunks = std::move(chunks);
    const auto added = rooms_->add(
        plan, [&](const StorageOptions&) { return std::make_unique<TestStorage>(state, false); }, nullptr);
    return added ? std::string() : added.error();
  };
  EXPECT_THAT(problem_of({chunk_of({.x = 0, .y = 0}, 1), chunk_of({.x = 1, .y = 0}, 2)}),
              HasSubstr("the stored chunk 1, 0 does not fit this canvas"))
      << "a colour that the palette does not have";
  EXPECT_THAT(problem_of({chunk_of({.x = 0, .y = 2}, 1)}), HasSubstr("the stored chunk 0, 2 does not fit"));
  EXPECT_THAT(problem_of({chunk_of({.x = 0, .y = 1}, 1), chunk_of({.x = 0, .y = 1}, 1)}),
              HasSubstr("the stored chunk 0, 1 does not fit"));
  EXPECT_EQ(rooms_->find("main"), nullptr);
  EXPECT_EQ(problem_of({chunk_of({.x = 0, .y = 0}, 1)}), "") << "the same, undamaged";
}

TEST_P(CanvasServerTest, ABinaryClientGetsChunksTicksAndAcknowledgements) {
  begin();
  const net::Descriptor peer = upgrade("/canvas/main", "other, fanfare.canvas.v1");
  EXPECT_THAT(read_until(peer, "\x87"), HasSubstr("Sec-WebSocket-Protocol: fanfare.canvas.v1\r\n"));
  watch(peer);
  // The last of four blank chunks: version 0, hash 0.
  read_until(peer, std::string("\x82\x01\x01\x00", 4) + std::string(8, '\0'));
  say_binary(peer, kDraw);
  const std::string answer = read_until(peer, kAck);
  EXPECT_THAT(answer, HasSubstr(kSection));
  EXPECT_LT(answer.find(kSection), answer.find(kAck)) << "the tick comes first";
  EXPECT_EQ(storage_->shown, 1U);
  const net::Descriptor json = upgrade("/canvas/main");
  EXPECT_THAT(read_until(json, "\"complete\":true"), HasSubstr(R"({"x":1,"y":1,"color":"#aabbcc"})"));
}

TEST_P(CanvasServerTest, WithFullSyncNothingIsShownBeforeItsCommit) {
  begin({}, true);
  const net::Descriptor peer = open_binary();
  watch(peer);
  read_until(peer, std::string("\x82\x01\x01\x00", 4));
  say_binary(peer, kDraw);
  ASSERT_TRUE(run_until([&] { return storage_->ticks == 1; }));
  EXPECT_THAT(read_now(peer), Not(HasSubstr(kSection)));
  // A client that joins now waits, too, because its chunk may contain the tick.
  const net::Descriptor late = upgrade("/canvas/main");
  for (int i = 0; i < 20; ++i) loop_->run_once(std::chrono::milliseconds(1));
  EXPECT_THAT(read_now(late), Not(HasSubstr("aabbcc")));
  storage_->set_committed(1);
  const std::string answer = read_until(peer, kAck);
  EXPECT_THAT(answer, HasSubstr(kSection));
  read_until(late, "#aabbcc");
}

TEST_P(CanvasServerTest, AFailingDiskShowsWhatWasDrawnRefusesMoreAndAcknowledgesLater) {
  begin({}, true);
  const net::Descriptor peer = open_binary();
  watch(peer);
  read_until(peer, std::string("\x82\x01\x01\x00", 4));
  say_binary(peer, kDraw);
  ASSERT_TRUE(run_until([&] { return storage_->ticks == 1; }));
  storage_->set_failing(true);
  EXPECT_THAT(read_until(peer, kSection), Not(HasSubstr(kAck)));
  EXPECT_EQ(storage_->shown, 1U);
  std::string second = kDraw;
  second[1] = 2;
  say_binary(peer, second);
  read_until(peer, std::string("\x85\x02\x00\x05\x00", 5));  // storage_full
  storage_->set_failing(false);
  storage_->set_committed(1);
  read_until(peer, kAck);
}

class Riddle final : public canvas::ProofHook {
 public:
  std::optional<std::string> problem_with(std::string_view proof, const canvas::Actor&,
                                          std::span<const canvas::Pixel>) override {
    if (proof == "[42]") return std::nullopt;
    return "what is the answer?";
  }
};

TEST_P(CanvasServerTest, ARoomThatWantsProofsSaysSoAndTakesThemInBothProtocols) {
  static Riddle riddle;  // outlives the room
  proof_ = &riddle;
  begin();
  const net::Descriptor peer = open_binary();
  watch(peer);
  read_until(peer, std::string("\x82\x01\x01\x00", 4));
  say_binary(peer, kDraw);
  // ERROR proof_required, then the ACK: nothing accepted.
  EXPECT_THAT(read_until(peer, std::string("\x85\x01\x00\x07\x00", 5)),
              HasSubstr("\x88\x07\x13what is the answer?"));
  std::string proven = kDraw;
  proven[0] = 6;
  proven.insert(2, "\x04[41]");
  say_binary(peer, proven);
  EXPECT_THAT(read_until(peer, std::string("\x85\x01\x00\x07\x00", 5)), HasSubstr("what is the answer?"));
  proven.replace(2, 5, "\x04[42]");
  say_binary(peer, proven);
  EXPECT_THAT(read_until(peer, kAck), HasSubstr(kSection));
  const net::Descriptor person = open_json();
  say(person, R"({"type":"pixel_update","x":0,"y":0,"color":1,"proof":[42],"id":1})");
  read_until(person, R"({"type":"ok","id":1})");
}

TEST_P(CanvasServerTest, TwoHundredWhoJoinAtOnceAreAllNamed) {
  begin();
  const net::Descriptor person = open_json();
  const net::Descriptor page = open_binary();
  std::vector<net::Descriptor> crowd;
  for (int i = 3; i <= 202; ++i) crowd.push_back(upgrade("/canvas/main?name=n" + std::to_string(i)));
  std::string in_json;
  std::string in_binary;
  const auto is_known = [&](const std::string& id, const std::string& name) {
    const std::string size(1, static_cast<char>(id.size()));
    return in_json.contains(R"("user_id":")" + id + "\"") && in_json.contains(R"("name":")" + name + "\"") &&
           in_binary.contains(size + id) && in_binary.contains(size + name);
  };
  ASSERT_TRUE(run_until([&] {
    in_json += read_now(person);
    in_binary += read_now(page);
    for (int i = 3; i <= 202; ++i) {
      if (!is_known("u" + std::to_string(i), "n" + std::to_string(i))) return false;
    }
    return true;
  })) << in_json;
}

TEST_P(CanvasServerTest, ASlowReaderSkipsTicksAndGetsWhatItLacks) {
  outbox_bytes_high_ = 1;
  canvas::Limits limits;
  limits.pixels_per_user = limits.pixels_per_address = {};
  begin({.limits = limits});
  const net::Descriptor slow = open_binary();
  watch(slow);
  const net::Descriptor writer = open_binary();
  read_until(slow, std::string("\x82\x01\x01\x00", 4));
  // Fills the socket's buffer, so that the outbox is not empty any more.
  std::string pixels("\x01\x01\x80\x10", 4);
  for (int i = 0; i < 2048; ++i) {
    pixels += std::string{
        static_cast<char>(i % 256), 0, static_cast<char>(i / 256), 0, static_cast<char>(i * 7), 0, 0};
  }
  ASSERT_TRUE(run_until([&] {
    pixels[pixels.size() - 1] = static_cast<char>(pixels[pixels.size() - 1] + 1);
    for (std::size_t at = 10; at < pixels.size(); at += 7) pixels[at] = static_cast<char>(pixels[at] + 13);
    say_binary(writer, pixels);
    read_until(writer, "\x85");
    return room().metrics().ticks_skipped > 3;
  }));
  // It reads again: a CHUNK or a TICK with all that it missed, ending with the present version.
  const auto ticks = static_cast<char>(storage_->ticks.load());
  std::string text;
  say_binary(writer, kDraw);
  read_until(writer, kAck);
  ASSERT_TRUE(run_until([&] {
    text += read_now(slow);
    return text.find(std::string("\xaa\xbb\xcc\x01", 4)) != std::string::npos || ticks == 0;
  })) << "the last pixel comes in a tick or a chunk";
}

TEST_P(CanvasServerTest, ARoomThatIsNotGrantedLooksLikeNone) {
  std::vector<TestPermit*> permits;
  bool views = false;
  begin({}, false, [&](const session::HttpConnection&, const server::Target&) {
    auto permit = std::make_unique<TestPermit>();
    permit->views = views;
    permits.push_back(permit.get());
    return permit;
  });
  EXPECT_THAT(read_until(upgrade("/canvas/main"), "no such room"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(read_until(get("/canvas/main/info"), "no such room"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(read_until(get("/canvas/main/image.png"), "no such room"), StartsWith("HTTP/1.1 404"));
  views = true;
  EXPECT_THAT(read_until(get("/canvas/other/info"), "no such room"), StartsWith("HTTP/1.1 404"));
  const net::Descriptor first = open_json();
  const net::Descriptor second = upgrade("/canvas/main");
  EXPECT_THAT(read_until(second, "\"complete\":true"), HasSubstr("\"user_id\":\"u1\""))
      << "one identity, one user";
  permits.back()->granted = {.draw = false, .moderate = false};
  say(second, R"({"type":"pixel_update","x":1,"y":2,"color":"#aabbcc"})");
  read_until(second, "not_permitted");
  say(second, R"({"type":"authenticate","token":"bad","id":1})");
  read_until(second, R"("code":"not_authenticated")");
  say(second, R"({"type":"authenticate","token":"good","id":2})");
  read_until(second, R"({"type":"ok","id":2})");
  EXPECT_GT(permits.back()->bytes, 100U);
  permits.back()->messages = 0;
  say(second, R"({"type":"ping"})");
  EXPECT_THAT(read_until(second, "no more"), HasSubstr("\"retry_after_ms\":2000"));
  permits.back()->views = false;
  permits.back()->holder->on_permit_changed();
  read_until(second, "\x03\xf0these credentials do not grant the room any more");
}

TEST_P(CanvasServerTest, UrlParametersAreChecked) {
  begin();
  EXPECT_THAT(read_until(upgrade("/canvas/main?session=short"), "session must"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(read_until(upgrade("/canvas/main?color=red"), "color must"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(read_until(upgrade("/canvas/main?name=" + std::string(33, 'x')), "name must"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(read_until(get("/canvas/main"), "upgrade required"), StartsWith("HTTP/1.1 426"));
  EXPECT_THAT(read_until(upgrade("/canvas/main?session=12345678&name=" + std::string(32, 'x')), "101"),
              StartsWith("HTTP/1.1 101"));
}

TEST_P(CanvasServerTest, TabsOfOneSessionAreOneUser) {
  begin();
  const net::Descriptor first = upgrade("/canvas/main?session=12345678");
  const net::Descriptor second = upgrade("/canvas/main?session=12345678");
  const net::Descriptor third = upgrade("/canvas/main?session=12345679");
  read_until(first, "\"user_id\":\"u1\"");
  read_until(second, "\"user_id\":\"u1\"");
  read_until(third, "\"user_id\":\"u2\"");
  EXPECT_TRUE(run_until([&] { return room().metrics().users == 2; }));
}

TEST_P(CanvasServerTest, WhoLeavesIsForgotten) {
  begin();
  const net::Descriptor stays = open_json();
  {
    const net::Descriptor leaves = open_json();
    read_until(stays, R"({"type":"user_joined","user_id":"u2")");
    EXPECT_EQ(room().metrics().connections, 2U);
  }
  read_until(stays, R"({"type":"user_left","user_id":"u2"})");
  EXPECT_EQ(room().metrics().connections, 1U);
}

TEST_P(CanvasServerTest, ARoomThatIsFullCloses1013) {
  canvas::Limits limits;
  limits.users_max = 1;
  begin({.limits = limits});
  const net::Descriptor first = open_json();
  read_until(upgrade("/canvas/main"), "\x03\xf5the room has all the users");
}

TEST_P(CanvasServerTest, FarTooManyMessagesClose1008) {
  canvas::Limits limits;
  limits.messages_per_second = 2;
  begin({.limits = limits});
  const net::Descriptor peer = open_json();
  for (int i = 0; i < 2; ++i) say(peer, R"({"type":"ping"})");
  read_until(peer, "pong");
  for (std::uint32_t i = 2; i < 2 * canvas::kMessageFloodFactor; ++i) say(peer, R"({"type":"ping"})");
  EXPECT_THAT(read_until(peer, "too_many_messages"), HasSubstr("\"retry_after_ms\":500"));
  say(peer, R"({"type":"ping"})");
  read_until(peer,
             "\x03\xf0"
             "far too many messages");
}

TEST_P(CanvasServerTest, APictureOfNowIsMadeOnceASecond) {
  begin();
  const net::Descriptor peer = open_json();
  say(peer, R"({"type":"pixel_update","x":1,"y":2,"color":"#aabbcc","id":7})");
  read_until(peer, "\"ok\"");
  const std::string first = read_until(get("/canvas/main/image.png"), "IEND");
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(first, HasSubstr("\r\nCache-Control: public, max-age=1\r\n"));
  EXPECT_THAT(read_until(get("/canvas/main/image.png?at=1"), "too many pictures"), StartsWith("HTTP/1.1 503"))
      << "this storage reads nothing";
  const std::string about = read_until(get("/canvas/main/info"), "}\n");
  EXPECT_THAT(
      about,
      HasSubstr(R"("width":300,"height":300,"background":"#ffffff","palette":null,"users":1,"pixels":1,)"));
}

INSTANTIATE_TEST_SUITE_P(Loops, CanvasServerTest, testing::Values(net::LoopKind::epoll, net::LoopKind::uring),
                         [](const auto& info) {
                           return std::string(info.param == net::LoopKind::epoll ? "epoll" : "uring");
                         });

}  // namespace
}  // namespace fanfare::canvasserver
