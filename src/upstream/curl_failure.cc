#include "upstream/curl_failure.h"

#include <curl/curl.h>

namespace fanfare::upstream {

FailureKind failure_kind_of(int curl_code) {
  // Not every enumerator: curl has some ninety, and adds more. All others mean that a connection failed
  // midway.
  switch (curl_code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return FailureKind::resolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
      return FailureKind::connect;
    case CURLE_OPERATION_TIMEDOUT:
      return FailureKind::timeout;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
      return FailureKind::tls;
    case CURLE_FILESIZE_EXCEEDED:
      return FailureKind::too_large;
    case CURLE_UNSUPPORTED_PROTOCOL:  // an answer that is not HTTP/1 or later
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR:
      return FailureKind::bad_reply;
    default:
      return FailureKind::closed;
  }
}

}  // namespace fanfare::upstream
