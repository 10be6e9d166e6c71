#pragma once
// What one client of a room may do, as the server's access control decides. A client without a permit may look and
// draw, and may not moderate. Used on the client's loop only.

#include <string>
#include <string_view>

#include "base/permit.h"
#include "canvas/frames.h"

namespace fanfare::canvasserver {

class Permit : public ConnectionPermit {
 public:
  virtual bool may_view(std::string_view room) const = 0;
  virtual canvas::Rights rights(std::string_view room) const = 0;
  // All connections of this name are one user. Empty: strangers have it, too.
  virtual std::string identity() const = 0;
};

}  // namespace fanfare::canvasserver
