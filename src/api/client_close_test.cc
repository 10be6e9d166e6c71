// The client's Close frame, as the server receives it.

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "fanfare/client.h"
#include "fanfare/server.h"

namespace fanfare {
namespace {

// "CODE reason" as received by the server. The client closes from a handler, or from another thread.
std::string came_of(std::uint16_t code, const std::string& reason, bool in_handler) {
  std::promise<std::string> came;
  std::promise<void> open;
  Server server({.port = 0, .threads = 1});
  server.websocket("/", {.close = [&](Session&, const Close& close) {
                     came.set_value(std::to_string(close.code) + " " + std::string(close.reason));
                   }});
  EXPECT_TRUE(server.start());
  Client client({.url = "ws://" + server.addresses().front()}, {.open = [&](Client& self, const Opened&) {
                  if (in_handler) self.close(code, reason);
                  open.set_value();
                }});
  EXPECT_TRUE(client.start());
  open.get_future().wait();
  if (!in_handler) client.close(code, reason);
  client.run();
  return came.get_future().get();
}

TEST(ClientClose, SaysAsMuchAsAFrameCarries_RFC6455_5_5_1) {
  for (const bool in_handler : {true, false}) {
    EXPECT_EQ(came_of(4000, std::string(123, 'x'), in_handler), "4000 " + std::string(123, 'x'));
    EXPECT_EQ(came_of(4000, std::string(200, 'x'), in_handler), "4000 " + std::string(123, 'x'));
    EXPECT_EQ(came_of(4000, std::string(122, 'x') + "é", in_handler), "4000 " + std::string(122, 'x'));
    EXPECT_EQ(came_of(1000, "no\xff", in_handler), "1000 no");
    EXPECT_EQ(came_of(1006, "no", in_handler), "1005 ");
  }
}

}  // namespace
}  // namespace fanfare
