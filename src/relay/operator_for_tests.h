#pragma once
// For the relay's tests: what an operator does with the tool of the broker, or another program, over a connection of its own. The relay's
// user may not do all of it (documented_rights()).

#include <gtest/gtest.h>
#include <nats/nats.h>

#include <cstdint>
#include <functional>
#include <string>

#include "relay/nats_server_for_tests.h"

namespace fanfare::relay {

class Operator {
 public:
  explicit Operator(const NatsServer& server) {
    EXPECT_EQ(natsConnection_ConnectTo(&connection_, server.operator_url().c_str()), NATS_OK);
    EXPECT_EQ(natsConnection_JetStream(&context_, connection_, nullptr), NATS_OK);
  }
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;
  ~Operator() {
    jsCtx_Destroy(context_);
    natsConnection_Destroy(connection_);
  }

  jsCtx* context() const { return context_; }
  void delete_stream(const std::string& stream) const {
    EXPECT_EQ(js_DeleteStream(context_, stream.c_str(), nullptr, nullptr), NATS_OK);
  }
  void delete_message(const std::string& stream, std::uint64_t sequence) const {
    EXPECT_EQ(js_DeleteMsg(context_, stream.c_str(), sequence, nullptr, nullptr), NATS_OK);
  }
  void change(const std::string& stream, const std::function<void(jsStreamConfig&)>& change) const {
    jsStreamInfo* info = nullptr;
    jsErrCode code{};
    ASSERT_EQ(js_GetStreamInfo(&info, context_, stream.c_str(), nullptr, &code), NATS_OK);
    change(*info->Config);
    EXPECT_EQ(js_UpdateStream(nullptr, context_, info->Config, nullptr, &code), NATS_OK) << code;
    jsStreamInfo_Destroy(info);
  }

  // Another program's stream, which takes so much of the broker's storage, or as much as the broker gives; or keeps it for itself.
  void fill(const char* stream, std::size_t bytes, std::int64_t reserved = 0) const {
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = stream;
    config.Subjects = &stream;
    config.SubjectsLen = 1;
    if (reserved > 0) config.MaxBytes = reserved;
    ASSERT_EQ(js_AddStream(nullptr, context_, &config, nullptr, nullptr), NATS_OK);
    const std::string piece(256 * 1024, 'x');
    for (std::size_t sent = 0; sent < bytes; sent += piece.size())
      js_Publish(nullptr, context_, stream, piece.data(), static_cast<int>(piece.size()), nullptr, nullptr);
  }

 private:
  natsConnection* connection_ = nullptr;
  jsCtx* context_ = nullptr;
};

}  // namespace fanfare::relay
