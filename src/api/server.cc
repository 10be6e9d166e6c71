#include "fanfare/server.h"

#include <utility>

#include "api/core.h"
#include "base/guard.h"

namespace fanfare {

Server::Server(ServerOptions options) : core_(std::make_shared<api::Core>(std::move(options))) {}

Server::~Server() {
  core_->destroy();
}

void Server::add_websocket(std::string_view path, std::unique_ptr<api::WebSocketRoute> route) {
  core_->add(path, std::move(route));
}

void Server::http(std::string_view method, std::string_view path,
                  std::function<Response(const Request&)> answer) {
  core_->add(method, path, [answer = std::move(answer)](const Request& request, Responder responder) {
    std::move(responder).send(answer(request));
  });
}

void Server::http(std::string_view method, std::string_view path,
                  std::function<void(const Request&, Responder)> answer) {
  core_->add(method, path, std::move(answer));
}

void Server::files(std::string_view path, FileOptions options) {
  core_->add_files(path, std::move(options));
}

Expected<void, Error> Server::start() {
  return core_->start();
}

void Server::run() {
  core_->run();
}

std::size_t Server::stop(std::chrono::milliseconds deadline) {
  return core_->stop(deadline);
}

Expected<void, Error> Server::reload_certificates() {
  return core_->reload_certificates();
}

std::vector<std::string> Server::addresses() const {
  return core_->addresses();
}

std::uint16_t Server::port() const {
  return core_->port();
}

std::string_view Server::loop_name() const {
  return core_->loop_name();
}

std::size_t Server::session_count() const {
  return core_->open_sessions.load(std::memory_order_relaxed);
}

std::vector<std::pair<std::string_view, std::uint64_t>> Server::refused_connections() const {
  return core_->refused_connections();
}

ServerStats Server::stats() const {
  return core_->stats();
}

std::uint64_t Server::refused_tasks() const {
  return core_->refused_tasks();
}

PostResult Server::publish(std::string_view topic, const Frame& frame, const PublishOptions& options) {
  return core_->publish(topic, frame, options);
}

PostResult Server::for_each_session(std::function<void(Session&)> task) {
  return core_->for_each_session(std::move(task));
}

PostResult Server::post(SessionId id, UniqueFunction<void(Session&)> task) {
  return core_->post(id, std::move(task));
}

Responder& Responder::operator=(Responder&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(loop_, other.loop_);
  std::swap(place_, other.place_);
  std::swap(generation_, other.generation_);
  return *this;
}

Responder::~Responder() {
  if (core_.expired()) return;
  // Perhaps on the way of an exception: a second one would end the process.
  run_guarded("an answer", [this] {
    std::move(*this).send({.status = 500, .body = "the server has no answer to this\n"});
  });
}

void Responder::send(Response response) && {
  const auto core = std::exchange(core_, {}).lock();
  if (core == nullptr) return;
  core->respond({.loop = loop_, .place = place_, .generation = generation_}, std::move(response));
}

BodyWriter Responder::start(Response head, std::optional<std::uint64_t> length) && {
  const auto core = std::exchange(core_, {}).lock();
  if (core == nullptr) return BodyWriter(nullptr);
  return core->start_body({.loop = loop_, .place = place_, .generation = generation_}, std::move(head), length);
}

}  // namespace fanfare
