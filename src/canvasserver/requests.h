#pragma once
// What the requests of clients do. The functions run on the connection's loop; what they ask runs on the room's thread, and
// for the past on its storage's thread.

#include <string>
#include <string_view>
#include <vector>

#include "canvas/place.h"
#include "canvasserver/connection.h"

namespace fanfare::canvasserver {

// A text message of either kind of connection. Answers are JSON.
void receive_json(Connection& connection, std::string_view text);

// PIXELS and UNDO: answered with ACK.
void draw_pixels(Connection& connection, canvas::PixelsMessage message);
void undo_pixels(Connection& connection, const canvas::UndoMessage& message);

}  // namespace fanfare::canvasserver
