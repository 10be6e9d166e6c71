#pragma once
// An animated PNG (APNG, part of the PNG specification since its third edition; every browser shows it). A frame has only
// the rectangle that changed; a frame without changes makes the one before it longer.
//
//   signature | IHDR | PLTE | acTL: frames u32, plays u32 (0: endless) | fcTL IDAT | fcTL fdAT | fcTL fdAT | ... | IEND
//   fcTL:  sequence u32 | width u32 | height u32 | x u32 | y u32 | delay ms u16 | 1000 u16 | dispose 0 u8 | blend 0 u8
//   fdAT:  sequence u32 | as IDAT

#include <cstdint>
#include <string>
#include <vector>

#include "canvas/spec.h"
#include "canvasserver/picture.h"

namespace fanfare::app {

class Animation {
 public:
  // All pictures have this area.
  Animation(canvas::RoomSpec spec, canvas::Area area) : spec_(std::move(spec)), area_(area) {}

  void add(const canvasserver::Picture& picture, std::uint32_t delay_ms);
  std::size_t frames() const { return frames_; }
  // At least one picture was added.
  std::string finish();

 private:
  void end_frame();

  const canvas::RoomSpec spec_;
  const canvas::Area area_;
  std::vector<std::uint8_t> last_;  // pixels
  std::string body_;
  std::string frame_;  // the data of the last frame, until its delay is known
  canvas::Area part_;
  std::uint32_t delay_ms_ = 0;
  std::uint32_t sequence_ = 0;
  std::size_t frames_ = 0;
};

}  // namespace fanfare::app
