#pragma once
// The public API of the engine. chain.h (fanfare::chain) and store.h (fanfare::store) are separate. docs/embedding.md
// is the guide.

#include "fanfare/access.h"
#include "fanfare/body.h"
#include "fanfare/canvas.h"
#include "fanfare/client.h"
#include "fanfare/error.h"
#include "fanfare/expected.h"
#include "fanfare/http.h"
#include "fanfare/hub.h"
#include "fanfare/json.h"
#include "fanfare/log.h"
#include "fanfare/options.h"
#include "fanfare/relay.h"
#include "fanfare/rpc.h"
#include "fanfare/rpc_options.h"
#include "fanfare/server.h"
#include "fanfare/session.h"
#include "fanfare/streams.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"
