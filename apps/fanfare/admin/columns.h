#pragma once
// The tables that `fanfare admin` and `fanfare top` both show.

#include <vector>

#include "admin/table.h"

namespace fanfare::app {

inline const std::vector<Column> kStreamColumns{{"STREAM", "name"},
                                                {"HEALTHY", "healthy", Show::yes_no},
                                                {"SUBSCRIBERS", "subscribers", Show::number},
                                                {"VALUES", "values", Show::number},
                                                {"MISSED", "missed", Show::number},
                                                {"NOTE", "reason", Show::text, 80}};
inline const std::vector<Column> kRoomColumns{{"ROOM", "name"},
                                              {"HEALTHY", "healthy", Show::yes_no},
                                              {"USERS", "users", Show::number},
                                              {"CONNECTIONS", "connections", Show::number},
                                              {"PIXELS", "pixels", Show::number},
                                              {"NOTE", "reason", Show::text, 80}};

}  // namespace fanfare::app
