#pragma once
// What a tick has taken back, in rows: one for each of its chunks.

#include "canvasserver/storage.h"
#include "store/statement.h"

namespace fanfare::canvasstore {

// `insert` takes the chunk, the tick, the checksum and the data. False: it failed.
bool write_taken_back(store::Statement& insert, const canvasserver::LoggedTick& tick);

}  // namespace fanfare::canvasstore
