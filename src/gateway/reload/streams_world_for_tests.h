#pragma once
// A gateway with streams that gets other plans while clients read them.

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "gateway/reload/reload_world_for_tests.h"

namespace fanfare::gateway {

class StreamsReloadWorld : public ReloadWorld {
 protected:
  void SetUp() override {
    ReloadWorld::SetUp();
    for (MountPlan& mount : stream_mounts()) plan_.listeners.front().mounts.push_back(std::move(mount));
    plan_.streams.emplace();
    plan_.streams->streams = {stream("heads"), stream("other")};
  }

  // Polls the number of the newest block of the first network.
  static StreamPlan stream(const std::string& name) {
    streams::StreamSpec spec{.name = name, .interval = std::chrono::milliseconds(10)};
    spec.calls = {{.name = "block", .method = "eth_blockNumber"}};
    spec.fields = {{.name = "number", .pointer = "/block", .as = streams::FieldSpec::As::number}};
    return {.spec = std::move(spec)};
  }
  StreamPlan& plan_of(const std::string& name) {
    return *std::ranges::find(plan_.streams->streams, name,
                              [](const StreamPlan& one) { return one.spec.name; });
  }
  static std::string request_for(const std::string& name, const std::string& more = "") {
    return R"({"type":"subscribe","stream":")" + name + R"(","position":true)" + more + "}";
  }
  // A reader of the stream, past its answer, which `answer` gets.
  std::unique_ptr<api::RawClient> read(const std::string& name, std::string* answer = nullptr,
                                       const std::string& more = "") const {
    return read_at(port(), name, answer, more);
  }
  static std::unique_ptr<api::RawClient> read_at(std::uint16_t port, const std::string& name,
                                                 std::string* answer = nullptr,
                                                 const std::string& more = "") {
    auto client = std::make_unique<api::RawClient>(port);
    EXPECT_THAT(client->upgrade("/streams"), ::testing::StartsWith("HTTP/1.1 101 "));
    EXPECT_THAT(client->receive(), ::testing::HasSubstr("\"welcome\""));
    client->send(request_for(name, more));
    const std::string text = client->receive();
    EXPECT_THAT(text, ::testing::HasSubstr("\"subscribed\"")) << name;
    if (answer != nullptr) *answer = text;
    return client;
  }
  // Once its loop has applied the last reload.
  std::unique_ptr<api::RawClient> open_streams_soon() const {
    for (int i = 0; i < 2000; ++i) {
      auto client = std::make_unique<api::RawClient>(port());
      if (client->upgrade("/streams").starts_with("HTTP/1.1 101")) return client;
    }
    ADD_FAILURE() << "there are no streams";
    return nullptr;
  }
  // Clients that come and go until it is over.
  std::thread visit_until(const std::atomic<bool>& over) const {
    return std::thread([this, &over] {
      while (!over) {
        RawClient visitor(port());
        visitor.upgrade("/streams");
        visitor.receive();
        visitor.send(request_for("other"));
        visitor.receive();  // its answer, or that there is no such stream
      }
    });
  }
  static std::string member(const std::string& json, const std::string& name) {
    const std::size_t at = json.find("\"" + name + "\":");
    if (at == std::string::npos) return "none";
    const std::size_t begin = at + name.size() + 3;
    return json.substr(begin, json.find_first_of(",}]", begin) - begin);
  }
  // From behind this event on.
  static std::string since(const std::string& epoch, const std::string& event) {
    return R"(,"since":{"epoch":)" + epoch + R"(,"offset":)" + member(event, "offset") + "}";
  }
  // The next `count` events follow each other; returns the last one.
  static std::string expect_events(api::RawClient& client, int count) {
    std::uint64_t before = 0;
    std::string text;
    for (int i = 0; i < count; ++i) {
      text = client.receive();
      EXPECT_THAT(text, ::testing::HasSubstr("\"offset\":"));
      if (::testing::Test::HasFailure()) return text;
      const std::uint64_t offset = std::stoull(member(text, "offset"));
      if (before != 0) EXPECT_EQ(offset, before + 1) << text;
      before = offset;
    }
    return text;
  }
  // What comes first that has `wanted` in it.
  static std::string receive_until(api::RawClient& client, std::string_view wanted) {
    std::string text;
    for (int i = 0; i < 5000 && text.find(wanted) == std::string::npos && text != "EOF"; ++i) {
      text = client.receive();
    }
    return text;
  }
};

}  // namespace fanfare::gateway
