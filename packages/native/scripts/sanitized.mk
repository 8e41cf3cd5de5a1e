# Builds the warden, and what the tests of its parts need, under the sanitizers: build-sanitized.mjs runs this in packages/native.
BUILDS := address thread
SOURCES := $(wildcard src/warden/*.cc src/common/*.cc)
FLAGS := -std=gnu++20 -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Wno-missing-field-initializers -Isrc/common -Isrc/warden -MMD
# vptr probes memory through a pipe and takes a full descriptor table for a bad pointer.
FLAGS_address := -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all
FLAGS_thread := -fsanitize=thread
OUT := build-sanitized

all: $(foreach build,$(BUILDS),$(OUT)/$(build)/lendbuf-warden $(OUT)/$(build)/warden-parts)

define build
OBJECTS_$(1) := $$(patsubst src/%.cc,$(OUT)/$(1)/%.o,$(SOURCES))

$(OUT)/$(1)/lendbuf-warden: $$(OBJECTS_$(1))
	$$(CXX) $(FLAGS_$(1)) -pthread -o $$@ $$^

$(OUT)/$(1)/warden-parts: $(OUT)/$(1)/warden-parts.o $$(filter-out %/main.o,$$(OBJECTS_$(1)))
	$$(CXX) $(FLAGS_$(1)) -pthread -o $$@ $$^

$(OUT)/$(1)/warden-parts.o: test/warden-parts.cc
	@mkdir -p $$(@D)
	$$(CXX) $(FLAGS) $(FLAGS_$(1)) -c -o $$@ $$<

$(OUT)/$(1)/%.o: src/%.cc
	@mkdir -p $$(@D)
	$$(CXX) $(FLAGS) $(FLAGS_$(1)) -c -o $$@ $$<

-include $$(OBJECTS_$(1):.o=.d) $(OUT)/$(1)/warden-parts.d
endef
$(foreach one,$(BUILDS),$(eval $(call build,$(one))))
