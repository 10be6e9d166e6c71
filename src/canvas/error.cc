#include "canvas/error.h"

#include <utility>

namespace fanfare::canvas {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_json:
      return "not_json";
    case ErrorCode::bad_message:
      return "bad_message";
    case ErrorCode::unknown_type:
      return "unknown_type";
    case ErrorCode::out_of_range:
      return "out_of_range";
    case ErrorCode::too_many_pixels:
      return "too_many_pixels";
    case ErrorCode::too_many_messages:
      return "too_many_messages";
    case ErrorCode::message_too_big:
      return "message_too_big";
    case ErrorCode::not_permitted:
      return "not_permitted";
    case ErrorCode::proof_required:
      return "proof_required";
    case ErrorCode::storage_full:
      return "storage_full";
    case ErrorCode::not_authenticated:
      return "not_authenticated";
  }
  return {};
}

std::uint8_t status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::not_json:
    case ErrorCode::bad_message:
    case ErrorCode::unknown_type:
      return 1;
    case ErrorCode::out_of_range:
      return 2;
    case ErrorCode::too_many_pixels:
      return 3;
    case ErrorCode::not_permitted:
    case ErrorCode::not_authenticated:
      return 4;
    case ErrorCode::storage_full:
      return 5;
    case ErrorCode::too_many_messages:
      return 6;
    case ErrorCode::proof_required:
      return 7;
    case ErrorCode::message_too_big:
      return 8;
  }
  return 1;
}

ProtocolError error_of(ErrorCode code, std::string message) {
  return {.code = code, .message = std::move(message)};
}

ProtocolError too_many_pixels(std::string message, Duration wait) {
  ProtocolError error = error_of(ErrorCode::too_many_pixels, std::move(message));
  error.retry_after = retry_ms(wait);
  return error;
}

}  // namespace fanfare::canvas
