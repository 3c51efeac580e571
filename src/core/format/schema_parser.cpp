#include "core/format/json_builder.hpp"
#include "core/format/object_reader.hpp"

namespace snapback {
namespace {

class SchemaHandler final : public ObjectVisitor {
 public:
  explicit SchemaHandler(const SchemaVisitor& visitor) : visitor_(visitor) {}

  Taken member(const std::string& name) override { return name == "types" || name == "sequences" || name == "tables" ? Taken::by_element : Taken::skipped; }
  void value(const std::string& list, Json& element) override {
    if (!element.is_object()) fields::damaged("document", "an entry of the schema's \"" + list + "\" is no object");
    visitor_(list, element);
  }

 private:
  const SchemaVisitor& visitor_;
};

}  // namespace

void parse_schema(std::string_view text, const SchemaVisitor& visitor) {
  SchemaHandler handler(visitor);
  read_object("document", text, max_schema_members, handler);
}

}  // namespace snapback
