// Clients with a permit: what they see, what they may subscribe to, and what is counted.

#include "streams/permit.h"

#include <gtest/gtest.h>

#include "streams/permit_for_tests.h"
#include "streams/world_for_tests.h"

namespace fanfare::streams {
namespace {

class StreamPermitTest : public testing::Test {
 protected:
  void SetUp() override {
    permit.granted = {"s"};
    world.add("secret");
  }
  std::string say(std::string_view message) {
    world.loops.clock.advance(std::chrono::seconds(1));  // below messages_per_second
    return client.say(message);
  }
  std::string subscribe(std::string_view name) {
    return say(R"({"type":"subscribe","stream":")" + std::string(name) + "\"}");
  }

  World world;
  std::shared_ptr<Stream> stream = world.add("s");
  TestPermit permit;
  TestClient client{world, 0, Transport::websocket, &permit};
};

TEST_F(StreamPermitTest, AClientSeesOnlyWhatIsGranted) {
  client.client.welcome();
  EXPECT_NE(client.take().find(R"("available_streams":["s"],)"), std::string::npos);
  const std::string hello = say(R"({"type":"hello"})");
  EXPECT_NE(hello.find(R"("streams":[{"name":"s")"), std::string::npos);
  EXPECT_EQ(hello.find("secret"), std::string::npos);
}

// Otherwise anyone could find out which streams there are.
TEST_F(StreamPermitTest, AStreamThatIsNotGrantedLooksLikeNone) {
  say(R"({"type":"hello"})");
  std::string denied = subscribe("secret");
  EXPECT_EQ(
      denied,
      R"({"type":"error","message":"unknown stream: available are s","code":"unknown_stream","stream":"secret"})"
      "\n");
  denied.replace(denied.find("secret"), 6, "nobody");
  EXPECT_EQ(subscribe("nobody"), denied);
  EXPECT_EQ(client.client.subscriptions(), 0U);
  EXPECT_EQ(permit.refused, 1U) << "only what exists";
  EXPECT_NE(subscribe("s").find("subscribed"), std::string::npos);
}

TEST_F(StreamPermitTest, QuotasRefuseAndSayWhenToComeBack) {
  say(R"({"type":"hello"})");
  permit.subscriptions = 0;
  EXPECT_EQ(
      subscribe("s"),
      R"({"type":"error","message":"no subscriptions left","code":"limit_reached","stream":"s","retry_after_ms":2})"
      "\n");
  permit.messages = 0;
  EXPECT_EQ(
      say(R"({"type":"ping","id":3})"),
      R"({"type":"error","message":"no messages left","code":"limit_reached","retry_after_ms":2000,"id":3})"
      "\n");
  EXPECT_NE(say(R"({"type":"authenticate","token":"good"})").find("authenticated"), std::string::npos)
      << "fresh credentials are always taken";
}

// However a subscription ends, it is given back once.
TEST_F(StreamPermitTest, EveryEndOfASubscriptionGivesItBack) {
  world.add("t");
  permit.granted = {"s", "t", "secret"};
  permit.subscriptions = 3;
  subscribe("s");
  subscribe("t");
  subscribe("secret");
  EXPECT_EQ(permit.subscriptions, 0U);
  say(R"({"type":"unsubscribe","stream":"s"})");
  EXPECT_EQ(permit.subscriptions, 1U);
  say(R"({"type":"unsubscribe","stream":"s"})");
  EXPECT_EQ(permit.subscriptions, 1U) << "an error";
  world.catalog.remove("t");
  world.loops.run_all();
  client.take();
  EXPECT_EQ(permit.subscriptions, 2U) << "the server removed the stream";
  permit.granted = {"s"};
  client.client.check_permit();
  EXPECT_EQ(
      client.take(),
      R"({"type":"unsubscribed","stream":"secret","reason":"these credentials do not grant the stream any more"})"
      "\n");
  EXPECT_EQ(permit.subscriptions, 3U);
  subscribe("s");
  client.client.end_all("over");
  EXPECT_NE(client.take().find(R"({"type":"unsubscribed","stream":"s","reason":"over"})"), std::string::npos);
  EXPECT_EQ(permit.subscriptions, 3U);
  {
    TestClient other(world, 1, Transport::websocket, &permit);
    other.say(R"({"type":"subscribe","stream":"s"})");
    EXPECT_EQ(permit.subscriptions, 2U);
  }
  EXPECT_EQ(permit.subscriptions, 3U) << "the client has left";
}

TEST_F(StreamPermitTest, AFreshTokenGrantsMore) {
  permit.granted.clear();
  EXPECT_NE(subscribe("s").find("available are none"), std::string::npos);
  EXPECT_EQ(say(R"({"type":"authenticate","token":"bad"})"),
            "{\"type\":\"error\",\"message\":\"not the token\"}\n");
  EXPECT_EQ(say(R"({"type":"authenticate"})"),
            "{\"type\":\"error\",\"message\":\"\\\"token\\\" must be a string\"}\n");
  EXPECT_EQ(say(R"({"type":"authenticate","token":"good","id":1})"),
            "{\"type\":\"authenticated\",\"available_streams\":[\"s\"],\"id\":1}\n");
  EXPECT_EQ(subscribe("s"), "{\"type\":\"subscribed\",\"stream\":\"s\"}\n");
}

TEST_F(StreamPermitTest, WithoutAccessControlThereIsNothingToAuthenticate) {
  TestClient open(world);
  EXPECT_EQ(open.say(R"({"type":"authenticate","token":"good"})"),
            "{\"type\":\"error\",\"message\":\"this server has no access control\"}\n");
}

}  // namespace
}  // namespace fanfare::streams
