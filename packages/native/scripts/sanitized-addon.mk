# Builds the addon under AddressSanitizer and UBSan: build-sanitized-addon.mjs runs this in packages/native.
SOURCES := $(wildcard src/addon/*.cc src/common/*.cc)
OUT := build-sanitized/addon
OBJECTS := $(SOURCES:src/%.cc=$(OUT)/%.o)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS := -std=gnu++20 -g -O1 -fPIC -fno-omit-frame-pointer -Wall -Wextra -Wno-missing-field-initializers -MMD $(SANITIZE)
DEFINES := -DNAPI_VERSION=8 -DNODE_ADDON_API_CPP_EXCEPTIONS -DNODE_ADDON_API_CPP_EXCEPTIONS_ALL -DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS

$(OUT)/lendbuf.node: $(OBJECTS)
	$(CXX) -shared $(SANITIZE) -Wl,-z,nodelete -o $@ $^

$(OUT)/%.o: src/%.cc
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) $(DEFINES) -Isrc/common -isystem $(NODE_INCLUDE) -isystem $(NODE_ADDON_API) -c -o $@ $<

-include $(OBJECTS:.o=.d)
