#include "admin/client.h"

#include <curl/curl.h>
#include <sys/un.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "admin/table.h"
#include "gateway/admin_plan.h"
#include "jsonrpc/value.h"

namespace fanfare::app {
namespace {

constexpr long kAdminConnectTimeoutMs = 5'000;
constexpr std::size_t kSocketPathMax = sizeof(sockaddr_un::sun_path) - 1;

struct ReplyBody {
  std::string text;
  bool is_too_long = false;
};

std::size_t append_reply(char* data, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<ReplyBody*>(to);
  if (body.text.size() + size * count > AdminClient::kReplyBytesMax) {
    body.is_too_long = true;
    return 0;
  }
  body.text.append(data, size * count);
  return size * count;
}

struct FreeHeaders {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

bool is_url(std::string_view address) {
  return address.starts_with("http://") || address.starts_with("https://");
}

}  // namespace

std::string socket_to_ask(const std::string& of_user, const std::string& of_service) {
  std::error_code ignored;
  const bool is_service =
      !std::filesystem::exists(of_user, ignored) && std::filesystem::exists(of_service, ignored);
  return is_service ? of_service : of_user;
}

AdminClient::AdminClient(AdminAddress to)
    : curl_(curl_easy_init()), address_(std::move(to.address)), token_(std::move(to.token)) {
  if (address_.empty()) {
    address_ = socket_to_ask(gateway::default_admin_socket(std::getenv("XDG_RUNTIME_DIR")),
                             gateway::default_admin_socket(nullptr));
  }
  base_ = is_url(address_) ? address_ : "http://localhost";
  while (base_.ends_with('/')) base_.pop_back();
}

AdminClient::~AdminClient() {
  curl_easy_cleanup(curl_);
}

std::expected<AdminReply, std::string> AdminClient::request(std::string_view method,
                                                            const std::string& target,
                                                            const std::string& body) {
  if (!is_url(address_) && address_.size() > kSocketPathMax) {
    return std::unexpected("the path \"" + address_ + "\" has " + std::to_string(address_.size()) +
                           " bytes, expected the path of a Unix socket, at most " +
                           std::to_string(kSocketPathMax));
  }
  CURL* const curl = curl_;
  ReplyBody reply;
  const std::string url = base_ + target;
  std::unique_ptr<curl_slist, FreeHeaders> headers(curl_slist_append(nullptr, "Expect:"));
  if (!body.empty()) headers.reset(curl_slist_append(headers.release(), "Content-Type: application/json"));
  if (!token_.empty())
    headers.reset(curl_slist_append(headers.release(), ("Authorization: Bearer " + token_).c_str()));
  curl_easy_reset(curl);
  if (!is_url(address_)) curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, address_.c_str());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, std::string(method).c_str());
  if (!body.empty()) curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, body.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &append_reply);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms_);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, kAdminConnectTimeoutMs);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  const CURLcode result = curl_easy_perform(curl);
  if (reply.is_too_long) return std::unexpected("the answer of " + address_ + " is too long");
  if (result != CURLE_OK) {
    return std::unexpected("cannot reach the server at " + address_ + " (" + curl_easy_strerror(result) +
                           "). Does it run, with the section admin in its configuration? See docs/admin.md");
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 299) return std::unexpected(problem_text(reply.text));
  return AdminReply{.status = static_cast<int>(status), .body = std::move(reply.text)};
}

std::string problem_text(std::string_view body) {
  while (!body.empty() && (body.back() == '\n' || body.back() == ' ')) body.remove_suffix(1);
  const auto text = [&](std::string_view name) {
    const auto raw = jsonrpc::member(body, name);
    return raw ? jsonrpc::string_copy(*raw).value_or("") : std::string();
  };
  std::string problem = text("detail");
  if (problem.empty()) return line_text(body);
  if (const std::string value = text("value"); !value.empty()) problem += " (" + value + ")";
  problem = line_text(problem);
  if (const auto errors = jsonrpc::member(body, "errors")) {
    for (const std::string_view error : jsonrpc::array_elements(*errors)) {
      problem += "\n  " + line_text(jsonrpc::string_copy(error).value_or(""));
    }
  }
  return problem;
}

std::string url_escaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain) {
      escaped += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    escaped += '%';
    escaped += kDigits[byte >> 4U];
    escaped += kDigits[byte & 15U];
  }
  return escaped;
}

}  // namespace fanfare::app
