#include "pg/type_names.hpp"

#include "pg/call.hpp"

extern "C" {
#include "nodes/nodes.h"
#include "parser/parse_type.h"
}
#ifdef SNAPBACK_SOFT_ERRORS
extern "C" {
#include "nodes/miscnodes.h"
}
#endif

namespace snapback::pg {

bool find_type(const std::string& name, Oid& type, int32& typmod) {
  return call([&] {
#ifdef SNAPBACK_SOFT_ERRORS
    ErrorSaveContext soft;
    memset(&soft, 0, sizeof(soft));
    soft.type = T_ErrorSaveContext;
#endif
    return static_cast<bool>(SnapbackParseTypeString(name.c_str(), &type, &typmod));
  });
}

}  // namespace snapback::pg
