#pragma once
// The streams of a public server: what all loops share. Lives as long as the server.

#include <string>
#include <utility>

#include "fanfare/streams.h"
#include "pubsub/hub.h"
#include "session/settings.h"
#include "streams/catalog.h"
#include "ws/handshake.h"

namespace fanfare::api {

struct ServerStreams {
  // The hub must outlive the streams. `of_server`: the settings of the server's sessions, `deflate` those of its
  // compression.
  ServerStreams(pubsub::Hub& hub, StreamsOptions options, const session::SessionSettings& of_server,
                const ws::DeflateOptions& deflate);

  const std::string path;
  const ws::UpgradePolicy policy;
  streams::Catalog catalog;
  const session::SessionSettings settings;  // of their sessions
};

}  // namespace fanfare::api
