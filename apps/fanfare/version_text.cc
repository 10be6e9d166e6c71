#include "version_text.h"

#include <curl/curl.h>
#include <libdeflate.h>
#include <llhttp.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <zlib.h>

#include "commit.h"
#include "net/loop.h"

namespace fanfare::app {
namespace {

std::string loops() {
  const auto uring = net::Loop::create({.kind = net::LoopKind::uring, .streams_max = 1});
  return uring ? "io_uring, epoll" : "epoll (no io_uring here: " + uring.error().message() + ")";
}

std::string llhttp_version() {
  return std::to_string(LLHTTP_VERSION_MAJOR) + "." + std::to_string(LLHTTP_VERSION_MINOR) + "." +
         std::to_string(LLHTTP_VERSION_PATCH);
}

// One library a line: the lines fit, and a script finds each.
std::string libraries() {
  const std::string next = "\n           ";
  return std::string("OpenSSL ") + OpenSSL_version(OPENSSL_VERSION_STRING) +  //
         next + "zlib " + zlibVersion() +                                     //
         next + "libdeflate " LIBDEFLATE_VERSION_STRING +                     //
         next + "liburing " FANFARE_LIBURING +                                //
         next + "SQLite " + sqlite3_libversion() +                            //
         next + "curl " + curl_version_info(CURLVERSION_NOW)->version +       //
         next + "llhttp " + llhttp_version();
}

}  // namespace

std::string version_text() {
  return "fanfare " FANFARE_VERSION "\ncommit     " FANFARE_COMMIT "\ncompiler   " FANFARE_COMPILER
         "\nloops      " +
         loops() + "\nlibraries  " + libraries();
}

}  // namespace fanfare::app
