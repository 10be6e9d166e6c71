#include "fanfare/store.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/random.h"
#include "base/text.h"
#include "store/disk_store.h"

namespace fanfare {
namespace {

// Changes with each start of the kernel. Where it cannot be read, each start of the program counts as one.
std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (std::getline(file, id) && !id.empty()) return id;
  return "unknown-" + std::to_string(SystemRandom().next_u64());
}

std::string find_wrong_option(const StoreOptions& options) {
  using std::chrono::milliseconds;
  if (options.path.empty()) return "StoreOptions::path: the name of a file, not empty";
  if (options.sync_interval < milliseconds(1)) return "StoreOptions::sync_interval: 1 ms or more";
  if (options.stall_max < milliseconds(1)) return "StoreOptions::stall_max: 1 ms or more";
  if (options.retry_interval < milliseconds(1)) return "StoreOptions::retry_interval: 1 ms or more";
  if (options.file_bytes_max < (std::uint64_t{64} << 10U))
    return "StoreOptions::file_bytes_max: 64 KiB or more";
  return "";
}

}  // namespace

Expected<Store, Error> Store::open(StoreOptions options) {
  if (std::string wrong = find_wrong_option(options); !wrong.empty()) {
    return Unexpected(Error{.kind = Error::Kind::bad_option, .message = std::move(wrong)});
  }
  // The program may change its folder, and SQLite has names of its own, such as ":memory:".
  std::error_code error;
  options.path = std::filesystem::absolute(options.path, error).string();
  auto opened = store::DiskStore::open(options, boot_id(), system_clock());
  if (!opened) {
    // Without a code, the path names what is not a store.
    const int code = opened.error().system_code;
    return Unexpected(Error{.kind = code == 0 ? Error::Kind::bad_option : Error::Kind::system,
                            .message = joined({"store: ", opened.error().message}),
                            .system_code = code});
  }
  Store made;
  made.store_ = *std::move(opened);
  return made;
}

StoreMetrics Store::metrics() const {
  return store_ == nullptr ? StoreMetrics() : static_cast<const store::DiskStore&>(*store_).metrics();
}

}  // namespace fanfare
