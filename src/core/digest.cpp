#include "core/digest.hpp"

#include <openssl/evp.h>

#include <new>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/error.hpp"

namespace snapback {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void require(int result, const char* step) {
  if (result != 1)
    throw error(sqlstate::internal_error, std::string("SHA-256 is not available: ") + step + " failed");  // GCOVR_EXCL_LINE: needs a broken OpenSSL
}

EVP_MD_CTX* evp(void* context) { return static_cast<EVP_MD_CTX*>(context); }
XXH3_state_t* xxh(void* state) { return static_cast<XXH3_state_t*>(state); }

Fingerprint to_fingerprint(const XXH128_hash_t& hash) { return Fingerprint{hash.low64, hash.high64}; }

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (context_ == nullptr) throw std::bad_alloc();  // GCOVR_EXCL_LINE: out of memory
  // the destructor does not run when the constructor throws
  if (EVP_DigestInit_ex(evp(context_), EVP_sha256(), nullptr) != 1) {
    EVP_MD_CTX_free(evp(context_));  // GCOVR_EXCL_LINE: needs a broken OpenSSL
    require(0, "EVP_DigestInit_ex");  // GCOVR_EXCL_LINE: needs a broken OpenSSL
  }
}

Sha256::~Sha256() { EVP_MD_CTX_free(evp(context_)); }

void Sha256::update(const void* data, std::size_t size) {
  if (size != 0) require(EVP_DigestUpdate(evp(context_), data, size), "EVP_DigestUpdate");
}

Sha256Value Sha256::finish() {
  Sha256Value value;
  require(EVP_DigestFinal_ex(evp(context_), value.data(), nullptr), "EVP_DigestFinal_ex");
  // the same digest again: without a search in the library's tables, which are gone while the process exits
  require(EVP_DigestInit_ex(evp(context_), nullptr, nullptr), "EVP_DigestInit_ex");
  return value;
}

Sha256Value sha256_of(std::string_view data) {
  Sha256 digest;
  digest.update(data.data(), data.size());
  return digest.finish();
}

std::string to_hex(const unsigned char* data, std::size_t size) {
  std::string text(size * 2, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    text[2 * i] = hex_digits[data[i] >> 4];
    text[2 * i + 1] = hex_digits[data[i] & 15];
  }
  return text;
}

std::string to_hex(const Sha256Value& value) { return to_hex(value.data(), value.size()); }

bool from_hex(std::string_view hex, unsigned char* out, std::size_t size) {
  if (hex.size() != size * 2) return false;
  for (std::size_t i = 0; i < size; ++i) {
    const int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return true;
}

std::string Fingerprint::to_hex() const {
  std::string text(32, '\0');
  for (std::size_t i = 0; i < 16; ++i) {
    text[15 - i] = hex_digits[high >> (4 * i) & 15];
    text[31 - i] = hex_digits[low >> (4 * i) & 15];
  }
  return text;
}

bool Fingerprint::from_hex(std::string_view hex, Fingerprint& out) {
  unsigned char bytes[16];
  if (!snapback::from_hex(hex, bytes, sizeof bytes)) return false;
  out = Fingerprint{};
  for (std::size_t i = 0; i < 8; ++i) {
    out.high = out.high << 8 | bytes[i];
    out.low = out.low << 8 | bytes[8 + i];
  }
  return true;
}

Fingerprint row_hash(std::string_view line) { return to_fingerprint(XXH3_128bits(line.data(), line.size())); }

RowHasher::RowHasher() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();  // GCOVR_EXCL_LINE: out of memory
  reset();
}

RowHasher::~RowHasher() { XXH3_freeState(xxh(state_)); }

void RowHasher::reset() { XXH3_128bits_reset(xxh(state_)); }

void RowHasher::update(std::string_view piece) { XXH3_128bits_update(xxh(state_), piece.data(), piece.size()); }

Fingerprint RowHasher::finish() const { return to_fingerprint(XXH3_128bits_digest(xxh(state_))); }

}  // namespace snapback
