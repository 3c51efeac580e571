// Digests: SHA-256 against damage and forgery, a 128-bit sum of row hashes against accidents.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace snapback {

using Sha256Value = std::array<unsigned char, 32>;

// SHA-256 computed piece by piece (FIPS 180-4, OpenSSL's EVP interface). Raises XX000 when the library refuses.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(const void* data, std::size_t size);
  Sha256Value finish();  // ends the computation; the object starts anew afterwards

 private:
  void* context_;  // EVP_MD_CTX, owned
};

Sha256Value sha256_of(std::string_view data);

std::string to_hex(const unsigned char* data, std::size_t size);
std::string to_hex(const Sha256Value& value);
// Lower- or upper-case hex digits to bytes; false when the length or a digit is wrong.
bool from_hex(std::string_view hex, unsigned char* out, std::size_t size);

// The sum modulo 2^128 of the XXH3 128-bit hashes of a set of rows. Independent of their order; empty set is 0.
struct Fingerprint {
  std::uint64_t low = 0, high = 0;

  void add(const Fingerprint& other) {
    low += other.low;
    high += other.high + (low < other.low ? 1 : 0);
  }
  void subtract(const Fingerprint& other) {
    high -= other.high + (low < other.low ? 1 : 0);
    low -= other.low;
  }
  bool operator==(const Fingerprint&) const = default;

  std::string to_hex() const;                                    // 32 lower-case digits, high word first
  static bool from_hex(std::string_view hex, Fingerprint& out);  // false when malformed
};

// Hash of one row's line of text (without the separator), XXH3_128bits with seed 0.
Fingerprint row_hash(std::string_view line);

// The same hash over a line that comes in pieces.
class RowHasher {
 public:
  RowHasher();
  ~RowHasher();
  RowHasher(const RowHasher&) = delete;
  RowHasher& operator=(const RowHasher&) = delete;

  void reset();
  void update(std::string_view piece);
  Fingerprint finish() const;

 private:
  void* state_;  // XXH3_state_t, owned
};

}  // namespace snapback
