// Compares the document around the rows with the one and only text that the manifest allows.
#pragma once

#include <string>
#include <string_view>

#include "core/format/manifest.hpp"

namespace snapback {

class DocumentCheck {
 public:
  explicit DocumentCheck(const Manifest& manifest);

  // Each returns what is wrong, or null. After the first thing wrong they all return null: nothing behind it can be compared.
  const char* text(std::string_view piece);
  // The rows of a table follow here.
  const char* rows(std::size_t table_index);
  const char* end();
  // A piece of the document could not be read.
  void give_up() { stopped_ = true; }

 private:
  enum class Step { start, schema, tables, head, tail, totals, done };

  void advance();
  const char* schema_piece(std::string_view& piece);
  const char* wrong(const char* what);

  const Manifest& manifest_;
  Step step_ = Step::start;
  std::size_t table_ = 0;
  std::string expected_;  // text of this step
  std::size_t matched_ = 0;
  std::string schema_;
  bool stopped_ = false;
};

}  // namespace snapback
