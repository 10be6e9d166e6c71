#pragma once
// A listener's certificate, which can be replaced while the listener runs. Existing connections keep theirs;
// new ones get the latest. Any thread.

#include <expected>
#include <memory>
#include <mutex>
#include <string>

#include "net/tls.h"

namespace fanfare::session {

class ServerCertificate {
 public:
  // Reads the files. The error names the file and the problem.
  static std::expected<std::shared_ptr<ServerCertificate>, std::string> load(net::TlsServerOptions options);

  std::shared_ptr<const net::TlsContext> context() const;
  // Reads the files again. After an error the old certificate stays in use.
  std::expected<void, std::string> reload();
  const net::TlsServerOptions& options() const { return options_; }

 private:
  ServerCertificate(net::TlsServerOptions options, std::shared_ptr<const net::TlsContext> context)
      : options_(std::move(options)), context_(std::move(context)) {}

  const net::TlsServerOptions options_;
  mutable std::mutex mutex_;  // guards context_
  std::shared_ptr<const net::TlsContext> context_;
};

}  // namespace fanfare::session
