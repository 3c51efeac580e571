// JSON text to the bytes of a jsonb, without the server's general parser (which takes five times as long on small documents).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snapback::pg::values {

class JsonbBuilder {
 public:
  // The body (what follows the varlena header of 4 bytes) of the jsonb that jsonb_in() makes of the same text, which must be valid UTF-8; valid until the next call. False for
  // anything out of the ordinary (malformed, deep, very long, numbers with exponents): that is for jsonb_in() itself to take or refuse.
  bool build(std::string_view text);
  std::string_view body() const { return buffer_; }

 private:
  enum class Type : unsigned char { null, yes, no, string, number, array, object };
  // One value or key, in the order of the text. Containers are followed by what they hold.
  struct Node {
    Type type;
    bool decoded;        // a string's bytes lie in arena_, not in the text
    std::uint32_t size;  // bytes of a string or number; members of a container, pairs of an object
    std::uint32_t at;    // where the bytes lie; for a container, the index of the node behind it
  };
  struct Pair {
    std::uint32_t key, value;
  };

  bool parse_value(unsigned depth);
  bool parse_string();
  bool parse_escape();
  bool parse_number();
  bool parse_literal(std::string_view literal, Type type);
  bool parse_array(unsigned depth);
  bool parse_object(unsigned depth);
  void skip_blanks();
  bool take(char c);

  std::string_view bytes(const Node& node) const;
  bool key_less(std::uint32_t left, std::uint32_t right) const;
  std::uint32_t next(std::uint32_t index) const;
  std::uint32_t emit(std::uint32_t index);
  std::uint32_t emit_array(std::uint32_t index, std::uint32_t flags);
  std::uint32_t emit_object(std::uint32_t index);
  void emit_entry(std::size_t entries, std::uint32_t number, std::uint32_t entry, std::uint32_t& total);
  void pad();

  std::string_view text_;
  const char* cursor_ = nullptr;
  const char* end_ = nullptr;
  std::vector<Node> nodes_;
  std::vector<Pair> pairs_;  // of the open objects, used as a stack
  std::string arena_, buffer_;
};

}  // namespace snapback::pg::values
