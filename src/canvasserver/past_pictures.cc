#include "canvasserver/past_pictures.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>

#include "canvasserver/picture.h"

namespace fanfare::canvasserver {

namespace {

PastLog::Result<std::string> make_picture(PastLog& log, const canvas::RoomSpec& spec,
                                          const PastPicture& wanted) {
  const auto chunks = log.chunks_at(wanted.area, wanted.at_ms, false);
  if (!chunks) return std::unexpected(chunks.error());
  Picture picture = blank_picture(spec, wanted.area);
  for (const StoredChunk& chunk : *chunks) {
    if (!log.is_wanted()) break;
    draw(picture, spec, chunk);
  }
  std::string png = png_of(spec, picture, kPngLevel, [&log] { return log.is_wanted(); });
  if (png.empty()) return std::unexpected(std::string(kPastUnwanted));
  return png;
}

}  // namespace

PastPictures::Asked PastPictures::ask(RoomStorage& storage, const canvas::RoomSpec& spec,
                                      PastPicture picture) {
  Pictures abandoned;
  const auto asked = [&] {
    const std::scoped_lock lock(mutex_);
    Queue& queue = rooms_[&storage];
    // Those that nobody waits for hold no place, also in other rooms.
    for (auto& [room, waiting] : rooms_)
      std::ranges::move(take_abandoned(waiting), std::back_inserter(abandoned));
    std::size_t& of_payer = payers_[picture.payer];
    if (of_payer >= kPastPicturesPerPayerMax) {
      drop_if_empty(&storage);
      return Asked::payer_has_too_many;
    }
    if (queue.waiting + (queue.is_making ? 1 : 0) >= kPastPicturesPerRoomMax) {
      if (of_payer == 0) payers_.erase(picture.payer);
      return Asked::room_has_too_many;
    }
    ++of_payer;
    ++queue.waiting;
    auto place =
        std::ranges::find(queue.payers, picture.payer, [](const auto& entry) { return entry.first; });
    if (place == queue.payers.end()) {
      place = queue.payers.emplace(queue.payers.end(), picture.payer, Pictures());
    }
    place->second.push_back(std::move(picture));
    return Asked::accepted;
  }();
  for (const PastPicture& gone : abandoned) gone.done(std::unexpected(std::string(kPastUnwanted)));
  if (asked == Asked::accepted) start_next(storage, spec);
  return asked;
}

// With the lock held. Their done() is the caller's, without it.
PastPictures::Pictures PastPictures::take_abandoned(Queue& queue) {
  Pictures taken;
  for (auto& [payer, pictures] : queue.payers) {
    const auto left = std::ranges::stable_partition(
        pictures, [](const PastPicture& picture) { return !is_abandoned(picture.abandonment); });
    for (PastPicture& picture : left) {
      forget(picture.payer);
      taken.push_back(std::move(picture));
    }
    pictures.erase(left.begin(), left.end());
  }
  std::erase_if(queue.payers, [](const auto& entry) { return entry.second.empty(); });
  queue.waiting -= taken.size();
  return taken;
}

// With the lock held.
void PastPictures::forget(const std::string& payer) {
  const auto found = payers_.find(payer);
  if (--found->second == 0) payers_.erase(found);
}

// With the lock held.
void PastPictures::drop_if_empty(RoomStorage* storage) {
  const auto found = rooms_.find(storage);
  if (!found->second.is_making && found->second.payers.empty()) rooms_.erase(found);
}

// With the lock held. Another payer than the last one, if there is any.
PastPicture PastPictures::take_next(Queue& queue) {
  auto& payers = queue.payers;
  if (payers.front().first == queue.last_payer) payers.splice(payers.end(), payers, payers.begin());
  auto& [payer, pictures] = payers.front();
  PastPicture picture = std::move(pictures.front());
  pictures.pop_front();
  queue.last_payer = payer;
  if (pictures.empty()) payers.pop_front();
  --queue.waiting;
  queue.is_making = true;
  return picture;
}

void PastPictures::start_next(RoomStorage& storage, const canvas::RoomSpec& spec) {
  Pictures abandoned;
  auto next = [&]() -> std::optional<PastPicture> {
    const std::scoped_lock lock(mutex_);
    const auto found = rooms_.find(&storage);
    if (found == rooms_.end() || found->second.is_making) return std::nullopt;
    abandoned = take_abandoned(found->second);
    if (!found->second.payers.empty()) return take_next(found->second);
    rooms_.erase(found);
    return std::nullopt;
  }();
  for (const PastPicture& gone : abandoned) gone.done(std::unexpected(std::string(kPastUnwanted)));
  if (!next) return;
  const auto picture = std::make_shared<const PastPicture>(*std::move(next));
  const auto finish = [this, &storage, &spec, picture](PastLog::Result<std::string> png) {
    {
      const std::scoped_lock lock(mutex_);
      rooms_[&storage].is_making = false;
      forget(picture->payer);
    }
    picture->done(std::move(png));
    start_next(storage, spec);
  };
  const bool is_asked =
      storage.read_past([picture, finish, &spec](PastLog& log) { finish(make_picture(log, spec, *picture)); },
                        RoomStorage::PastUse::picture, picture->abandonment);
  if (!is_asked) finish(std::unexpected(std::string("too many pictures are being made")));
}

}  // namespace fanfare::canvasserver
