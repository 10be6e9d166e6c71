#include "streams/catalog.h"

#include <gtest/gtest.h>

#include "streams/spec.h"
#include "streams/world_for_tests.h"

namespace fanfare::streams {
namespace {

TEST(StreamCatalog, RejectsWhatCannotBeAStream) {
  World world;
  const auto problem = [&](const StreamOptions& options) {
    const auto added = world.catalog.add(options);
    return added ? "none" : added.error();
  };
  EXPECT_EQ(problem({.name = "a"}), "none");
  EXPECT_EQ(problem({.name = "a"}), "there is a topic 'stream:a' already");
  EXPECT_EQ(problem({.name = "pong"}), "a stream's name has " + std::string(kNameExpected));
  EXPECT_EQ(problem({.name = "b", .history_messages = 2}), "none");
  EXPECT_EQ(problem({.name = "c", .history_messages = 1}), "a stream keeps at least 2 values");
  EXPECT_EQ(problem({.name = "c", .history_bytes = 65536}), "none");
  EXPECT_EQ(problem({.name = "d", .history_bytes = 65535}), "a stream keeps at least 64 KiB");
}

TEST(StreamCatalog, HasConnectionsMax) {
  World world({.connections_max = 2});
  EXPECT_TRUE(world.catalog.reserve_connection(Transport::websocket));
  EXPECT_TRUE(world.catalog.reserve_connection(Transport::events));
  EXPECT_FALSE(world.catalog.reserve_connection(Transport::websocket));
  EXPECT_EQ(world.catalog.connections_refused(), 1U);
  world.catalog.release_connection(Transport::events);
  EXPECT_TRUE(world.catalog.reserve_connection(Transport::websocket));
  EXPECT_EQ(world.catalog.connections(Transport::websocket), 2U);
}

}  // namespace
}  // namespace fanfare::streams
