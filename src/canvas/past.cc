#include "canvas/past.h"

namespace fanfare::canvas {

Restoration restore_for(const ModerationEvent& event, const RoomSpec& spec, Past& past) {
  switch (event.kind) {
    case ModerationEvent::Kind::undo_user:
      return past.without_user(event.user, event.at_ms);
    case ModerationEvent::Kind::undo_area:
      return past.as_at(event.area, event.at_ms);
    case ModerationEvent::Kind::rollback:
      return past.as_at(Area::whole(spec), event.at_ms);
    case ModerationEvent::Kind::ban:
      break;
  }
  return {};
}

}  // namespace fanfare::canvas
