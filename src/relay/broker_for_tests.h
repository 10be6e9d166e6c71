#pragma once
// For the relay's tests: what an operator, or another program, does to a broker.

#include <gtest/gtest.h>
#include <nats/nats.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace fanfare::relay {

// Another program's stream, which takes so much of the broker's storage, or as much as the broker gives; or keeps it for itself.
inline void fill(jsCtx* context, const char* stream, std::size_t bytes, std::int64_t reserved = 0) {
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = stream;
  config.Subjects = &stream;
  config.SubjectsLen = 1;
  if (reserved > 0) config.MaxBytes = reserved;
  ASSERT_EQ(js_AddStream(nullptr, context, &config, nullptr, nullptr), NATS_OK);
  const std::string piece(256 * 1024, 'x');
  for (std::size_t sent = 0; sent < bytes; sent += piece.size())
    js_Publish(nullptr, context, stream, piece.data(), static_cast<int>(piece.size()), nullptr, nullptr);
}

}  // namespace fanfare::relay
