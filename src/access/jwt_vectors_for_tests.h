#pragma once
// Keys and tokens made by another program (OpenSSL through Node.js), with claims valid around 1734480000:
//   {"sub":"alice","iss":"https://issuer.example","aud":["gateway","other"],"exp":1734480100,"nbf":1734479000,
//    "roles":["reader"]}

#include <string_view>

namespace fanfare::access {

inline constexpr std::string_view kRsaPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyA9LTF3UdvMYKfwJTeX3\n"
    "xFB/6wdhzuO0Xa0mzMC/tQYvrOsxJX4/e3pKy0SAyD083Hdu/euYN+Hir70GgWYr\n"
    "ZoGx7BB4MtDRTR8PrFDaeczTx3a10Kow7FMMHLN4dW9mWI8PUHzjZMoEy6zTnua4\n"
    "o+7NdnleBpo7nDocLO4OeMnZa6VCCEZbspcb+NCgOvKcHezFvBu+I2RO+QGjBm0c\n"
    "U5Xodmb+KAm53kA+AsrreL9q/uGCB0fIjq2gw+GWZ79k1A1lsx4ZQzCeWwUtMxu+\n"
    "i6mAxB9sEE8LCi12fOeDwdzLAIvdWfLpIe3uS2LHbhMA/Y+ZjxbTmkzgEtLuGV/I\n"
    "zwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kRsaToken =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIn0.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW"
    "1wbGUiLCJhdWQiOlsiZ2F0ZXdheSIsIm90aGVyIl0sImV4cCI6MTczNDQ4MDEwMCwibmJmIjoxNzM0NDc5MDAwLCJy"
    "b2xlcyI6WyJyZWFkZXIiXX0.ehUfnlhhXPc5oyNm8b-yPDavOHs5p2aPBT-QqCMbTzrQj3oV26sdLH56CLkwwfzKGr"
    "lfndQdni76MgRAnTI0y5HCPX8KKxBdQZqxvXhwrf2o3W_tYhi-gwgsxZ1A9mHwESa96dVNejo1Uwf0NYRXADVXlY2M"
    "sr-YNdUUa0EjTP3arwNmAOoqqajXlai7XRu9aiGYmjWTZY9GyCBxVbBGQokbjrC6xfm1oeh5meEzVmS2YumeMA6iRn"
    "MKnQhIk15y_KFB1Ml1mGlIFVOvIeRBv0nIPsFg7gkVq75qBizQQKmqF7TiybwNTnlUgVHO2pf8yyJCSQNBO_FsNKJd"
    "-inPOw";
inline constexpr std::string_view kEcPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECdvbxQ5mIfjwW/cNVfELr1CGqTJ0\n"
    "YFUTAM6yTnj2cykjLNYviHz5pm21QNkx8lh/lPgWft4HnnU34Rf0eWdFKQ==\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kEcToken =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImUxIn0.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW"
    "1wbGUiLCJhdWQiOlsiZ2F0ZXdheSIsIm90aGVyIl0sImV4cCI6MTczNDQ4MDEwMCwibmJmIjoxNzM0NDc5MDAwLCJy"
    "b2xlcyI6WyJyZWFkZXIiXX0.iSLGSyryqnpqX8fSoof7C8t1Erw-wyycGFfYBZ1ihDj_lrAuNjQPZE2Lz4V7bFOq8L"
    "FTJmRKEbi_yBosT0glmA";
inline constexpr std::string_view kWeakRsaPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDFtv7cYEjGwYqIg5MxnRpLl/jQ\n"
    "8d+rFaMjLumjReBhjv3AfcAtS9v/vDKOlEX5dZdKiURxSdNm1XHfOhLCH8G9J1/g\n"
    "lcf124XwAD+fb+/YVczkauJYRU8s3bGG3U88dIJBgblshf8P4MOOjD93bm8PnV/X\n"
    "Dsexo8uZVZdIPvd4uQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kP384Pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEKAmZK7SqqBg4/GeMi2p0NeYadSYEgVkl\n"
    "at9oGs0kR8Udhqec5jstPgQhHEDqj6U3UYTII/dmX/ZTthZxo+M5Wx4me3JfkxWo\n"
    "2SOQQWpVqStL2b0bzAFpFpL1IZP7HAqL\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view kJwks =
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"yA9LTF3UdvMYKfwJTeX3xFB_6wdhzuO0Xa0mzMC_tQYvrOsxJX4_e3pKy0SAyD0"
    "83Hdu_euYN-Hir70GgWYrZoGx7BB4MtDRTR8PrFDaeczTx3a10Kow7FMMHLN4dW9mWI8PUHzjZMoEy6zTnua4o-7Nd"
    "nleBpo7nDocLO4OeMnZa6VCCEZbspcb-NCgOvKcHezFvBu-I2RO-QGjBm0cU5Xodmb-KAm53kA-AsrreL9q_uGCB0f"
    "Ijq2gw-GWZ79k1A1lsx4ZQzCeWwUtMxu-i6mAxB9sEE8LCi12fOeDwdzLAIvdWfLpIe3uS2LHbhMA_Y-ZjxbTmkzgE"
    "tLuGV_Izw\",\"e\":\"AQAB\",\"kid\":\"r1\",\"alg\":\"RS256\",\"use\":\"sig\"},{\"kty\":\"EC\",\"x\":"
    "\"CdvbxQ5mIfjwW"
    "_cNVfELr1CGqTJ0YFUTAM6yTnj2cyk\",\"y\":\"IyzWL4h8-aZttUDZMfJYf5T4Fn7eB551N-EX9HlnRSk\",\"crv\":\"P"
    "-256\",\"kid\":\"e1\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},{\"kty\":\"RSA\",\"n\":"
    "\"yA9LTF3UdvMYKfw"
    "JTeX3xFB_6wdhzuO0Xa0mzMC_tQYvrOsxJX4_e3pKy0SAyD083Hdu_euYN-Hir70GgWYrZoGx7BB4MtDRTR8PrFDae"
    "czTx3a10Kow7FMMHLN4dW9mWI8PUHzjZMoEy6zTnua4o-7NdnleBpo7nDocLO4OeMnZa6VCCEZbspcb-NCgOvKcHez"
    "FvBu-I2RO-QGjBm0cU5Xodmb-KAm53kA-AsrreL9q_uGCB0fIjq2gw-GWZ79k1A1lsx4ZQzCeWwUtMxu-i6mAxB9sE"
    "E8LCi12fOeDwdzLAIvdWfLpIe3uS2LHbhMA_Y-ZjxbTmkzgEtLuGV_Izw\",\"e\":\"AQAB\",\"kid\":\"r1\",\"use\":\"en"
    "c\"}]}";

}  // namespace fanfare::access
