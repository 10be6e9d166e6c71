#include "canvasserver/tick_out.h"

#include <algorithm>
#include <utility>

#include "canvas/frames.h"
#include "canvas/json_messages.h"
#include "ws/encode.h"

namespace fanfare::canvasserver {

using canvas::PresenceDelta;
using canvas::UserNumber;

namespace {

PresenceDelta without(PresenceDelta delta, UserNumber user) {
  std::erase_if(delta.joined, [user](const canvas::Person& person) { return person.user == user; });
  std::erase(delta.left, user);
  return delta;
}

SharedBytes presence_frame(const PresenceDelta& delta) {
  canvas::ByteVector bytes;
  canvas::append_presence(bytes, delta);
  return binary_frame(bytes);
}

SharedBytes presence_messages(const PresenceDelta& delta) {
  TextFrames frames;
  for (const canvas::Person& person : delta.joined) frames.add(canvas::user_joined_message(person));
  for (const UserNumber user : delta.left) frames.add(canvas::user_left_message(user));
  return frames.empty() ? SharedBytes() : frames.shared();
}

}  // namespace

SharedBytes TickOut::frame_for(std::span<const std::uint16_t> sections) {
  const std::scoped_lock lock(mutex_);
  SharedBytes& frame = frames_[std::vector<std::uint16_t>(sections.begin(), sections.end())];
  if (frame.empty()) {
    std::vector<SharedBytes> parts;
    for (const std::uint16_t section : sections) parts.push_back(tick_.chunks[section].section);
    frame = canvas::tick_frame(tick_.number, parts);
  }
  return frame;
}

SharedBytes TickOut::messages_of(std::uint16_t section) {
  const std::scoped_lock lock(mutex_);
  SharedBytes& messages = messages_[section];
  if (messages.empty()) {
    TextFrames frames;
    const canvas::ChunkTick& chunk = tick_.chunks[section];
    for (const canvas::TickPixel& pixel : chunk.pixels) {
      frames.add(canvas::pixel_changed_message(spec_, chunk.chunk, pixel));
    }
    messages = frames.shared();
  }
  return messages;
}

SharedBytes TickOut::messages_of(std::uint16_t section, const canvas::Area& area) const {
  TextFrames frames;
  const canvas::ChunkTick& chunk = tick_.chunks[section];
  for (const canvas::TickPixel& pixel : chunk.pixels) {
    if (!area.contains(canvas::x_of(chunk.chunk, pixel.index), canvas::y_of(chunk.chunk, pixel.index)))
      continue;
    frames.add(canvas::pixel_changed_message(spec_, chunk.chunk, pixel));
  }
  return frames.empty() ? SharedBytes() : frames.shared();
}

void TextFrames::add(std::string_view message) {
  const SharedBytes frame = ws::encode_message(ws::Opcode::text, as_bytes(message));
  bytes_.insert(bytes_.end(), frame.view().begin(), frame.view().end());
}

SharedBytes binary_frame(std::span<const std::uint8_t> message) {
  return ws::encode_message(ws::Opcode::binary, message);
}

SharedBytes text_frame(std::string_view message) {
  return ws::encode_message(ws::Opcode::text, as_bytes(message));
}

PresenceOut::PresenceOut(PresenceDelta delta)
    : delta_(std::move(delta)), frame_(presence_frame(delta_)), messages_(presence_messages(delta_)) {}

bool PresenceOut::names(UserNumber user) const {
  return std::ranges::binary_search(delta_.joined, user, {}, &canvas::Person::user) ||
         std::ranges::binary_search(delta_.left, user);
}

SharedBytes PresenceOut::frame_for(UserNumber user) const {
  return names(user) ? presence_frame(without(delta_, user)) : frame_;
}

SharedBytes PresenceOut::messages_for(UserNumber user) const {
  return names(user) ? presence_messages(without(delta_, user)) : messages_;
}

}  // namespace fanfare::canvasserver
