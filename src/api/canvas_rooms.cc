#include "api/canvas_rooms.h"

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "api/border.h"
#include "api/request_parts.h"
#include "canvasserver/storage.h"

namespace fanfare::api {
namespace {

// A client that accepts nothing for this time is closed.
constexpr Duration kSlowTimeout = std::chrono::seconds(10);

// The result of a program's admit().
class ProgramPermit final : public canvasserver::Permit {
 public:
  explicit ProgramPermit(std::optional<CanvasVisitor> visitor) : visitor_(std::move(visitor)) {}

  void begin(PermitHolder& /*holder*/) override {}
  bool may_view(std::string_view /*room*/) const override { return visitor_.has_value(); }
  canvas::Rights rights(std::string_view /*room*/) const override {
    return {.draw = visitor_ && visitor_->draws, .moderate = visitor_ && visitor_->moderates};
  }
  std::string identity() const override { return visitor_ ? visitor_->identity : ""; }
  void count_refused() override {}
  std::optional<Refusal> take_message() override { return std::nullopt; }
  void charge_bytes(std::size_t /*count*/) override {}
  std::expected<void, Refusal> authenticate(std::string_view /*token*/) override {
    return std::unexpected(Refusal{.message = "connect again with the new credentials"});
  }

 private:
  const std::optional<CanvasVisitor> visitor_;
};

}  // namespace

// Calls the program's check on the room's thread.
class CanvasRooms::Hook final : public canvas::ProofHook {
 public:
  explicit Hook(Check check) : check_(std::move(check)) {}

  std::optional<std::string> problem_with(std::string_view proof, const canvas::Actor& actor,
                                          std::span<const canvas::Pixel> pixels) override {
    pixels_.clear();
    for (const canvas::Pixel& pixel : pixels) {
      pixels_.push_back({.x = pixel.x, .y = pixel.y, .colour = pixel.colour});
    }
    const CanvasDraw draw{.proof = proof, .user = actor.user, .address = actor.payer, .pixels = pixels_};
    std::optional<std::string> problem;
    if (!call_handler("check", [&] { problem = check_(draw); })) return "the check of this room failed";
    return problem;
  }

 private:
  const Check check_;
  std::vector<CanvasPixel> pixels_;  // of one call; kept for its memory
};

CanvasRooms::CanvasRooms(CanvasOptions options, const session::SessionSettings& of_server)
    : options_(std::move(options)), settings_(canvasserver::session_settings({}, of_server)) {}

std::expected<void, std::string> CanvasRooms::add(const canvasserver::RoomPlan& plan,
                                                  const canvasserver::StorageOpener* opener, Check check) {
  canvas::ProofHook* hook = nullptr;
  if (check) hook = hooks_.emplace_back(std::make_unique<Hook>(std::move(check))).get();
  return rooms_.add(plan, opener == nullptr ? canvasserver::OpenStorage() : opener->open, hook);
}

std::vector<std::pair<server::PathPattern, std::shared_ptr<server::Mount>>> CanvasRooms::make_mounts(
    net::Loop& loop) {
  canvasserver::MountContext context{
      .loop = std::make_shared<canvasserver::LoopRooms>(rooms_, loop, settings_, kSlowTimeout)};
  if (options_.admit) {
    context.make_permit = [this](const session::HttpConnection& session, const server::Target& target) {
      const RequestParts parts(session, target.request, target.match.parameters);
      std::optional<CanvasVisitor> visitor;
      if (!call_handler("admit", [&] { visitor = options_.admit(parts.handle()); })) visitor.reset();
      return std::make_unique<ProgramPermit>(std::move(visitor));
    };
  }
  // Frames of the canvas are compressed already, or shared by all.
  const ws::UpgradePolicy policy{.subprotocols = canvasserver::canvas_subprotocols({}),
                                 .origins = options_.origins,
                                 .deflate = {.enabled = false}};
  const std::string room = options_.path + "/{" + std::string(canvasserver::kRoomParameter) + "}";
  std::vector<std::pair<server::PathPattern, std::shared_ptr<server::Mount>>> mounts;
  mounts.emplace_back(*server::PathPattern::parse(room),
                      std::make_shared<canvasserver::WebSocketMount>(context, policy));
  mounts.emplace_back(*server::PathPattern::parse(room + "/image.png"),
                      std::make_shared<canvasserver::ImageMount>(context));
  mounts.emplace_back(*server::PathPattern::parse(room + "/info"),
                      std::make_shared<canvasserver::InfoMount>(context));
  return mounts;
}

}  // namespace fanfare::api
