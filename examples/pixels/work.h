#pragma once
// A proof of work for each message that draws: a number N, so that the SHA-256 of "u17 N 10,20,255 11,20,255" begins with
// kWorkBits zero bits. The text names the user, the proof and the pixels (x, y and colour, all decimal), so a proof is of use to nobody
// else and for nothing else. draw.mjs finds such numbers.

#include <fanfare/canvas.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string>

inline constexpr int kWorkBits = 12;  // about 4,000 attempts

inline bool begins_with_zero_bits(const std::string& text, int bits) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) return false;
  for (int bit = 0; bit < bits; ++bit) {
    const auto byte = static_cast<std::size_t>(bit / 8);
    if ((digest.at(byte) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

// On the room's thread, for each message that draws.
inline std::optional<std::string> check_work(const fanfare::CanvasDraw& draw) {
  // The proof is raw JSON: a number is its digits.
  std::string text = "u" + std::to_string(draw.user) + " " + std::string(draw.proof);
  for (const auto& [x, y, colour] : draw.pixels) {
    text += " " + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(colour);
  }
  if (!draw.proof.empty() && begins_with_zero_bits(text, kWorkBits)) return std::nullopt;
  return "send a number N as proof, so that the SHA-256 of \"USER N X,Y,COLOUR ...\" begins with " +
         std::to_string(kWorkBits) + " zero bits";
}
