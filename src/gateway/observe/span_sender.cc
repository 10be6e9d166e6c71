// One POST at a time to a collector, over a kept-alive connection.

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/check.h"
#include "gateway/observe/span_exporter.h"
#include "upstream/curl_headers.h"
#include "upstream/url.h"

namespace fanfare::gateway {
namespace {

class SpanSender {
 public:
  explicit SpanSender(const TracingPlan& plan) : secrets_(upstream::secrets_of(plan.endpoint)) {
    FANFARE_CHECK(easy_ != nullptr);
    std::vector<std::pair<std::string, std::string>> fields{{"Content-Type", "application/json"}};
    fields.insert(fields.end(), plan.headers.begin(), plan.headers.end());
    headers_ = upstream::headers_with(nullptr, fields);
    for (const auto& [name, value] : plan.headers) {
      if (!value.empty()) secrets_.push_back(value);
    }
    curl_easy_setopt(easy_, CURLOPT_URL, plan.endpoint.c_str());
    curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
    curl_easy_setopt(easy_, CURLOPT_USERAGENT, "fanfare");
    curl_easy_setopt(easy_, CURLOPT_POST, 1L);
    curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy_, CURLOPT_PROXY, "");  // not even that of the environment
    curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);  // a stop does not wait for a name server
    curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS,
                     static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(plan.timeout).count()));
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_.data());
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &take);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &body_);
    curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy_, CURLOPT_XFERINFOFUNCTION, &is_stopping);
  }
  SpanSender(const SpanSender&) = delete;
  SpanSender& operator=(const SpanSender&) = delete;
  ~SpanSender() {
    curl_easy_cleanup(easy_);
    curl_slist_free_all(headers_);
  }

  ExportAnswer send(const std::string& body, const std::atomic<bool>& stops) {
    body_.clear();
    error_[0] = '\0';
    curl_easy_setopt(easy_, CURLOPT_XFERINFODATA, &stops);
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, body.data());
    const CURLcode code = curl_easy_perform(easy_);
    if (code != CURLE_OK) {
      const std::string words = error_[0] == '\0' ? curl_easy_strerror(code) : std::string(error_.data());
      return {.error = upstream::scrubbed(words, secrets_)};
    }
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &seconds);
    ExportAnswer answer{.status = static_cast<int>(status), .body = upstream::scrubbed(body_, secrets_)};
    if (seconds > 0) answer.retry_after = std::chrono::seconds(seconds);
    return answer;
  }

 private:
  // What is longer is read, and not kept.
  static std::size_t take(char* data, std::size_t size, std::size_t count, void* user) {
    auto& body = *static_cast<std::string*>(user);
    const std::size_t bytes = size * count;
    body.append(data, std::min(bytes, kExportAnswerBytesMax - body.size()));
    return bytes;
  }
  static int is_stopping(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
  }

  CURL* const easy_ = curl_easy_init();
  curl_slist* headers_ = nullptr;
  std::vector<std::string> secrets_;
  std::string body_;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

}  // namespace

SpanExporter::Send make_span_sender(const TracingPlan& plan) {
  return [sender = std::make_shared<SpanSender>(plan)](
             const std::string& body, const std::atomic<bool>& stops) { return sender->send(body, stops); };
}

}  // namespace fanfare::gateway
