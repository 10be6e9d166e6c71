// permessage-deflate through whole connections, from agreement to message: RFC7692§6.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "ws/connection.h"
#include "ws/deflate_codec.h"

namespace fanfare::ws {
namespace {

class Sink final : public Output {
 public:
  std::uint8_t* extend(std::size_t size) override {
    bytes.resize(bytes.size() + size);
    return bytes.data() + bytes.size() - size;
  }
  std::vector<std::uint8_t> bytes;
};

class DeflateConnectionTest : public ::testing::Test {
 protected:
  Connection connected(Role role, const DeflateParameters& agreed) {
    return Connection({.role = role,
                       .limits = &limits_,
                       .random = &random_,
                       .codec = std::make_unique<DeflateCodec>(agreed, role, pool_)});
  }
  static std::string received(Connection& connection, std::vector<std::uint8_t> wire) {
    Sink ignored;
    MutableBytes input(wire);
    const std::optional<Event> event = connection.next(input, ignored);
    if (!event) return "nothing";
    if (event->kind == Event::Kind::failed) return std::string(info(event->rule).name);
    return std::string(as_text(event->payload));
  }

  Limits limits_{.message_bytes_max = 100000};
  SeededRandom random_{1};
  DeflatePool pool_{{.threshold_bytes = 16}};
};

TEST_F(DeflateConnectionTest, CarriesMessagesBothWays_RFC7692_6) {
  const std::string text(5000, 'a');
  for (const bool forgetful : {false, true}) {
    const DeflateParameters agreed{.server_no_context_takeover = forgetful,
                                   .client_no_context_takeover = forgetful};
    Connection server = connected(Role::server, agreed);
    Connection client = connected(Role::client, agreed);
    for (int count = 0; count < 3; ++count) {
      Sink up;
      ASSERT_EQ(client.send(Opcode::text, as_bytes(text), up), SendResult::ok);
      EXPECT_EQ(up.bytes[0], 0xc1) << "FIN, RSV1, text";
      EXPECT_LT(up.bytes.size(), 100U);
      EXPECT_EQ(received(server, up.bytes), text);

      Sink down;
      ASSERT_EQ(server.send(Opcode::text, as_bytes("short"), down), SendResult::ok);
      EXPECT_EQ(down.bytes[0], 0x81) << "below the threshold: not compressed";
      EXPECT_EQ(received(client, down.bytes), "short");
    }
  }
}

TEST_F(DeflateConnectionTest, SendsASharedFrame_RFC7692_6) {
  const std::string text(5000, 'b');
  Connection client = connected(Role::client, {});
  const SharedBytes frame = pool_.compress_shared(Opcode::text, as_bytes(text), 15).value();
  EXPECT_EQ(received(client, {frame.view().begin(), frame.view().end()}), text);
}

TEST_F(DeflateConnectionTest, FailsOnABomb_RFC7692_8) {
  Connection client = connected(Role::client, {});
  const std::string zeros(100001, '\0');
  const SharedBytes frame = pool_.compress_shared(Opcode::binary, as_bytes(zeros), 15).value();
  EXPECT_EQ(received(client, {frame.view().begin(), frame.view().end()}), "inflated_message_too_big");
}

TEST_F(DeflateConnectionTest, FailsOnWhatIsNoDeflateStream_RFC7692_7_2_2) {
  Connection client = connected(Role::client, {});
  EXPECT_EQ(received(client, {0xc1, 0x01, 0x07}), "compressed_data_corrupt");
}

TEST_F(DeflateConnectionTest, ChecksInflatedTextToo_RFC6455_8_1) {
  Connection client = connected(Role::client, {});
  // A stored block with one byte that UTF-8 never has.
  EXPECT_EQ(received(client, {0xc1, 0x07, 0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x00}), "text_not_utf8");
}

}  // namespace
}  // namespace fanfare::ws
