# Builds and installs the extension with PostgreSQL's own rules (PGXS):
#
#   make && make install            with the pg_config found first in PATH
#   make PG_CONFIG=/path/pg_config  for another server
#
# Options: WERROR=1    warnings are errors
#          TESTING=1   adds the failure points and the extension pg_snapback_test
#          SANITIZE=1  AddressSanitizer and UndefinedBehaviorSanitizer
#          OPTIMIZE="-O2 -g0"  in place of -O2 -g
#          SEPARATE=1  an object for each source, beside it: for those who change one source after the other
#
# The sources of a folder are compiled together, from joined/<folder>.cpp, because the templates they share are most of the work.
# Flavours that must not mix are built in copies of the tree (scripts/lib.sh does that).
# CMakeLists.txt builds the same list of sources, src/sources.txt, for editors, unit tests and fuzzers.

PG_CONFIG ?= pg_config
TOP       := $(dir $(lastword $(MAKEFILE_LIST)))

MODULE_big = pg_snapback
EXTENSION  = pg_snapback
# the install script is made of its parts; upgrade steps, from one version to the next, are files of their own
DATA_built = sql/pg_snapback--1.0.0.sql
DATA       = $(patsubst $(TOP)%,%,$(wildcard $(TOP)sql/pg_snapback--*--*--*.sql))
SOURCES   := $(shell sed -e 's/\#.*//' -e 's/[[:space:]]//g' -e '/^$$/d' '$(TOP)src/sources.txt')
# the name of a folder's joined source, without its ending
joined     = joined/$(subst /,_,$(or $(patsubst src/%/,%,$(filter-out src/,$(1))),module))
# from behind, because the long ones are there
FOLDERS   := $(shell printf '%s\n' $(dir $(SOURCES)) | sort -ru)
ifdef SEPARATE
OBJS       = $(SOURCES:.cpp=.o)
else
OBJS       = $(foreach folder,$(FOLDERS),$(call joined,$(folder)).o)
endif
REGRESS    = $(sort $(patsubst $(TOP)sql/%.sql,%,$(filter-out $(TOP)sql/pg_snapback--%,$(wildcard $(TOP)sql/*.sql))))
REGRESS_OPTS = --inputdir=$(TOP).
EXTRA_CLEAN  = joined $(SOURCES:.cpp=.o) $(SOURCES:.cpp=.d) src/core/prelude.hpp.gch src/pg/prelude.hpp.gch

# -isystem comes before the -I that PGXS adds for the same directory and wins: the server's headers are read without our warnings.
PG_CPPFLAGS = -I$(TOP)src -isystem $(shell $(PG_CONFIG) --includedir-server) -MMD -MP

# gnu++20, not c++20: the server's macros use typeof. Hidden visibility, because modules are loaded RTLD_GLOBAL and an exported
# template instantiation of ours could be bound by another extension's copy of the same library. PGDLLEXPORT is empty up to 15, so
# the entry points get default visibility from src/pg/exports.h; exports.map then lets out those names only.
OPTIMIZE ?= -O2 -g
PG_CXXFLAGS = -std=gnu++20 $(OPTIMIZE) -fvisibility=hidden -fvisibility-inlines-hidden -fno-strict-aliasing -fwrapv \
	-Wno-register -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough

# GCC 12 sees overruns in std::string's operator+ that are not there (its bugs 105329 and 105651)
ifeq ($(shell $(CXX) -dumpversion 2>/dev/null | cut -d. -f1),12)
PG_CXXFLAGS += -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow
endif

ifndef SEPARATE
# it takes what is included for headers
PG_CXXFLAGS += -Wno-subobject-linkage
endif

ifdef WERROR
PG_CXXFLAGS += -Werror
endif

ifdef TESTING
PG_CPPFLAGS += -DPG_SNAPBACK_TESTING
EXTENSION   += test/extension/pg_snapback_test
DATA        += test/extension/pg_snapback_test--1.0.0.sql
endif

ifdef SANITIZE
PG_CXXFLAGS += -fsanitize=address,undefined -fno-omit-frame-pointer
endif

# No bitcode: nothing here is worth inlining by the JIT, and PGXS would compile it without PG_CXXFLAGS.
override with_llvm := no
# Linked by the C++ driver; PGXS takes the C one, and libstdc++ would be there only when the server happens to bring it.
override COMPILER = $(CXX) $(CXXFLAGS)

SHLIB_LINK = -Wl,--version-script=$(TOP)exports.map -Wl,--exclude-libs,ALL -lzstd -lcrypto

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(shlib): exports.map

INSTALL_PARTS := $(sort $(wildcard $(TOP)sql/install/*.sql))
sql/pg_snapback--1.0.0.sql: $(INSTALL_PARTS)
	mkdir -p sql
	cat $(INSTALL_PARTS) > $@

# a source with all of a folder's
define joined_rule
$(call joined,$(1)).cpp: $(TOP)src/sources.txt
	mkdir -p joined
	printf '#include <%s>\n' $(patsubst src/%,%,$(foreach source,$(SOURCES),$(if $(filter $(1),$(dir $(source))),$(source)))) > $$@
endef
$(foreach folder,$(FOLDERS),$(eval $(call joined_rule,$(folder))))

# Compiled once, with the flags of the objects, and read by each of them; a compiler that cannot use it reads the header itself.
# "private", because the compiled header is a prerequisite and would inherit the -include of itself.
CORE_PRELUDE   := $(TOP)src/core/prelude.hpp
SERVER_PRELUDE := $(TOP)src/pg/prelude.hpp
CORE_OBJS      := $(filter src/core/% joined/core%,$(OBJS))
SERVER_OBJS    := $(filter-out $(CORE_OBJS),$(OBJS))
$(CORE_OBJS): $(CORE_PRELUDE).gch
$(CORE_OBJS): private override CPPFLAGS += -include $(CORE_PRELUDE)
$(SERVER_OBJS): $(SERVER_PRELUDE).gch
$(SERVER_OBJS): private override CPPFLAGS += -include $(SERVER_PRELUDE)
$(SERVER_PRELUDE).gch: $(CORE_PRELUDE) $(wildcard $(TOP)src/pg/*.h) $(TOP)src/pg/pg.hpp
%.hpp.gch: %.hpp
	$(CXX) $(CXXFLAGS) $(filter-out -MMD -MP,$(CPPFLAGS)) -w -x c++-header $< -o $@

-include $(OBJS:.o=.d)
