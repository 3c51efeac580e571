#include "core/format/document_check.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace snapback {

DocumentCheck::DocumentCheck(const Manifest& manifest) : manifest_(manifest), expected_(document_start_text(manifest.backup)) {}

const char* DocumentCheck::wrong(const char* what) {
  stopped_ = true;
  return what;
}

// To the next step, whose text is wholly known from the manifest but for the schema.
void DocumentCheck::advance() {
  matched_ = 0;
  expected_.clear();
  switch (step_) {
    case Step::start:
      step_ = Step::schema;
      return;
    case Step::schema:
      step_ = Step::tables;
      expected_ = document_tables_text();
      return;
    case Step::head:
      step_ = Step::tail;
      expected_ = table_tail_text(manifest_.tables[table_]);
      return;
    case Step::tables:
    case Step::tail:
      if (step_ == Step::tail) ++table_;
      if (table_ == manifest_.tables.size()) {
        step_ = Step::totals;
        expected_ = document_end_text(manifest_);
        return;
      }
      step_ = Step::head;
      if (table_ != 0) expected_ = ",\n";
      expected_ += table_head_text(manifest_.tables[table_].head);
      return;
    case Step::totals:
    case Step::done:
      step_ = Step::done;
      return;
  }
}

// The schema stands in the document alone: it ends before the comma at the end of its line.
const char* DocumentCheck::schema_piece(std::string_view& piece) {
  const std::size_t end = std::min(piece.find('\n'), piece.size());
  if (schema_.size() + end > max_schema_text + 1) return wrong("the schema is too long");
  schema_ += piece.substr(0, end);
  piece.remove_prefix(end);
  if (piece.empty()) return nullptr;
  if (!schema_.ends_with(',')) return wrong("the schema's line does not end in a comma");
  schema_.pop_back();
  try {
    parse_schema(schema_, [](const std::string&, Json&) {});
  } catch (const error&) {
    return wrong("the schema is no JSON object, or none that can be read");
  }
  schema_ = std::string();
  advance();
  matched_ = 1;  // its comma
  return nullptr;
}

const char* DocumentCheck::text(std::string_view piece) {
  while (!stopped_ && !piece.empty()) {
    if (step_ == Step::schema) {
      if (const char* what = schema_piece(piece); what != nullptr) return what;
      continue;
    }
    if (matched_ == expected_.size()) {
      advance();
      if (step_ == Step::done) return wrong("there is text behind its end");
      continue;
    }
    const std::size_t size = std::min(piece.size(), expected_.size() - matched_);
    if (piece.substr(0, size) != std::string_view(expected_).substr(matched_, size)) return wrong("the text around the rows is not what the manifest says");
    matched_ += size;
    piece.remove_prefix(size);
  }
  return nullptr;
}

const char* DocumentCheck::rows(std::size_t table_index) {
  if (stopped_) return nullptr;
  if (step_ != Step::head || table_ != table_index || matched_ != expected_.size()) return wrong("rows stand where none belong");
  return nullptr;
}

const char* DocumentCheck::end() {
  if (stopped_) return nullptr;
  if (step_ != Step::totals || matched_ != expected_.size()) return wrong("it is cut off");
  return nullptr;
}

}  // namespace snapback
