#include "fanfare/server.h"

#include <algorithm>
#include <utility>

#include "api/border.h"
#include "api/server_impl.h"
#include "base/guard.h"

namespace fanfare {

Server::Server(ServerOptions options) : impl_(std::make_shared<api::ServerImpl>(std::move(options))) {}

Server::~Server() {
  impl_->destroy();
}

void Server::add_websocket(std::string_view path, std::unique_ptr<api::WebSocketRoute> route) {
  impl_->add(path, std::move(route));
}

void Server::http(std::string_view method, std::string_view path,
                  std::function<Response(const Request&)> answer) {
  impl_->add(method, path, [answer = std::move(answer)](const Request& request, Responder responder) {
    std::move(responder).send(answer(request));
  });
}

void Server::http(std::string_view method, std::string_view path,
                  std::function<void(const Request&, Responder)> answer) {
  impl_->add(method, path, std::move(answer));
}

void Server::http(std::string_view method, std::string_view path,
                  std::function<void(const Request&, Responder, BodyReader)> answer, BodyOptions options) {
  impl_->add(method, path, std::move(answer), options);
}

void Server::admit(std::function<std::optional<Response>(const Request&)> decide) {
  impl_->admit(std::move(decide));
}

void Server::files(std::string_view path, FileOptions options) {
  impl_->add_files(path, std::move(options));
}

Expected<void, Error> Server::start() {
  return impl_->start();
}

void Server::run() {
  impl_->run();
}

std::size_t Server::stop(std::chrono::milliseconds deadline) {
  return impl_->stop({.deadline = deadline});
}
std::size_t Server::stop(const StopOptions& options) {
  return impl_->stop(options);
}

Expected<void, Error> Server::reload_certificates() {
  return impl_->reload_certificates();
}

std::vector<std::string> Server::addresses() const {
  return impl_->addresses();
}

std::uint16_t Server::port() const {
  return impl_->port();
}

ServerTimer Server::call_after(std::chrono::milliseconds delay, UniqueFunction<void()> handler,
                               const TimerOptions& options) {
  return impl_->timers().add(delay, std::chrono::milliseconds::zero(), std::move(handler), options);
}

ServerTimer Server::call_every(std::chrono::milliseconds interval, UniqueFunction<void()> handler,
                               const TimerOptions& options) {
  return impl_->timers().add(interval, std::max(interval, std::chrono::milliseconds(1)), std::move(handler),
                             options);
}

bool Server::cancel(ServerTimer timer) {
  return impl_->timers().cancel(timer);
}

std::size_t Server::loop_count() const {
  return impl_->loop_count();
}

std::string_view Server::loop_name() const {
  return impl_->loop_name();
}

std::size_t Server::session_count() const {
  return impl_->open_sessions.load(std::memory_order_relaxed);
}

std::vector<std::pair<std::string_view, std::uint64_t>> Server::refused_connections() const {
  return impl_->refused_connections();
}

ServerStats Server::stats() const {
  return impl_->stats();
}

std::uint64_t Server::refused_tasks() const {
  return impl_->refused_tasks();
}

PostResult Server::publish(std::string_view topic, const Frame& frame, const PublishOptions& options) {
  return impl_->publish(topic, frame, options);
}

PostResult Server::for_each_session(std::function<void(Session&)> task) {
  return impl_->for_each_session(std::move(task));
}

PostResult Server::post(SessionId id, UniqueFunction<void(Session&)> task) {
  return impl_->post(id, std::move(task));
}

Responder& Responder::operator=(Responder&& other) noexcept {
  std::swap(impl_, other.impl_);
  std::swap(loop_, other.loop_);
  std::swap(slot_, other.slot_);
  std::swap(generation_, other.generation_);
  return *this;
}

Responder::~Responder() {
  if (impl_.expired()) return;
  // May run during stack unwinding, where a second exception would end the process.
  run_guarded("an answer",
              [this] { std::move(*this).send({.status = 500, .body = std::string(api::kNoAnswer)}); });
}

void Responder::send(Response response) && {
  const auto impl = std::exchange(impl_, {}).lock();
  if (impl == nullptr) return;
  impl->respond({.loop = loop_, .slot = slot_, .generation = generation_}, std::move(response));
}

BodyWriter Responder::start(Response head, std::optional<std::uint64_t> length) && {
  const auto impl = std::exchange(impl_, {}).lock();
  if (impl == nullptr) return BodyWriter(nullptr);
  return impl->start_body({.loop = loop_, .slot = slot_, .generation = generation_}, std::move(head), length);
}

}  // namespace fanfare
