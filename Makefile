# The targets to build, test and install the project; make help lists them.

PREFIX  ?= /usr/local
DESTDIR ?=
LIBDIR  ?= $(PREFIX)/lib
# The library looks for the helper in ../libexec and ../../libexec relative to its own directory.
LIBEXECDIR ?= $(PREFIX)/libexec
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

CFLAGS   ?= -O2
WARNINGS := -std=c11 -Wall -Wextra -pedantic -Werror
EXAMPLES := $(patsubst examples/c/%.c,build/bin/%,$(wildcard examples/c/*.c))
C_TESTS  := $(patsubst tests/c/%.c,build/tests/%,$(wildcard tests/c/*.c))
PYTHON   := build/venv/bin/python

.PHONY: help build demo test matrix lint bench docs install generate clean setup library

help:
	@echo "make demo                      build, and show a program outside and inside namespaces"
	@echo "make test                      every test, as root and as an ordinary user"
	@echo "make build                     leave everything in build/"
	@echo "make install PREFIX= DESTDIR=  the library, its helper, header, pkg-config file and man pages"
	@echo "make docs                      the documentation as a site, build/site/index.html"
	@echo "make bench                     compare with the smallest C programs and with other tools"
	@echo "make matrix                    the tests under other kernels, in virtual machines"
	@echo "make lint                      format, types, lints, generated files"
	@echo "make generate                  the header, schema, Python keywords and option table anew"
	@echo "make clean                     remove all that was built"

setup:
	@sh tests/setup.sh

library:
	@mkdir -p build/lib build/libexec/nsiso
	@test -e target/release/libnsiso_capi.so || echo "Compiling the library in Rust: about two minutes."
	@cargo build --release --quiet -p nsiso-capi --message-format=json-render-diagnostics >build/messages.json
	@directory=$$(sed -n '/"build-script-executed".*\/nsiso#/s/.*"out_dir":"\([^"]*\)".*/\1/p' build/messages.json) && \
	    install -m 755 "$$directory/nsiso-helper" build/libexec/nsiso/nsiso-helper
	@install -m 755 target/release/libnsiso_capi.so build/lib/libnsiso.so.0
	@install -m 644 target/release/libnsiso_capi.a build/lib/libnsiso.a
	@ln -sf libnsiso.so.0 build/lib/libnsiso.so

build: setup library $(EXAMPLES) $(C_TESTS) build/venv/.built
	@cargo build --release --quiet -p nsiso-example
	@install -m 755 target/release/hello build/bin/hello-rust

build/bin/%: examples/c/%.c $(wildcard examples/c/*.h) include/nsiso.h | library
	@mkdir -p build/bin
	@$(CC) $(WARNINGS) $(CFLAGS) -Iinclude -o $@ $< -Lbuild/lib -lnsiso -Wl,-rpath,'$$ORIGIN/../lib'

build/tests/%: tests/c/%.c include/nsiso.h | library
	@mkdir -p build/tests
	@$(CC) $(WARNINGS) $(CFLAGS) -D_GNU_SOURCE -Iinclude -o $@ $< -pthread -Lbuild/lib -lnsiso -Wl,-rpath,'$$ORIGIN/../lib'

PYTHON_SOURCES := $(wildcard bindings/python/*.toml bindings/python/src/*.rs bindings/python/python/nsiso/*) \
                  $(shell find crates/nsiso/src crates/nsiso/helper -name '*.rs')
$(PYTHON): | setup
	@/usr/bin/python3 -m venv build/venv

build/venv/.built: $(PYTHON_SOURCES) | $(PYTHON)
	@echo "Building the Python package: up to two minutes the first time."
	@$(PYTHON) -m pip install --quiet maturin pytest pyyaml
	@$(PYTHON) -m maturin build --quiet --release --manifest-path bindings/python/Cargo.toml \
	    --interpreter $(PYTHON) --out build/wheels >build/maturin.log 2>&1 || { cat build/maturin.log; exit 1; }
	@$(PYTHON) -m pip install --quiet --force-reinstall --no-deps build/wheels/*.whl
	@touch $@

demo: setup library $(EXAMPLES) build/venv/.built
	@$(PYTHON) examples/demo.py

# The shell ignores these signals in what it runs in the background; the tests send them.
test: build
	@env --default-signal=HUP,INT,QUIT sh tests/run.sh

matrix: setup
	@sh tests/matrix/run.sh

lint: $(PYTHON)
	@sh tests/setup.sh lint
	cargo fmt --all --check
	rustfmt --check --edition 2024 crates/nsiso/helper/main.rs
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	python3 bindings/python/generate.py --check
	python3 docs/tools/options.py --check
	python3 tests/lint.py
	@$(PYTHON) -m pip install --quiet --requirement tests/typing/requirements.txt
	$(PYTHON) tests/typing/check.py
	@mkdir -p build
	doxygen tests/Doxyfile

bench: build
	@sh tests/setup.sh bench
	@sh tests/bench/build.sh
	@$(PYTHON) tests/bench/comparison.py
	@/usr/bin/python3 tests/bench/run.py
	@/usr/bin/python3 tests/bench/list.py
	@/usr/bin/python3 tests/bench/enter.py
	@build/venv/bin/python tests/bench/sandbox.py
	@build/venv/bin/python -m pip install --quiet pyroute2
	@build/venv/bin/python tests/bench/network.py
	@build/venv/bin/python tests/bench/limits.py

docs: $(PYTHON)
	@echo "Building the site: about a minute the first time."
	@$(PYTHON) -m pip install --quiet --requirement docs/requirements.txt
	@rm -rf target/doc
	@RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --all-features -p nsiso
	@python3 docs/tools/pages.py build/pages
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet
	@python3 docs/tools/check.py
	@echo "To read it: python3 -m http.server --bind 127.0.0.1 --directory build/site 8000"

generate:
	UPDATE=1 cargo test --quiet -p nsiso-capi --test header
	python3 bindings/python/generate.py
	python3 docs/tools/options.py

install: library
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 build/lib/libnsiso.so.0 $(DESTDIR)$(LIBDIR)/libnsiso.so.$(VERSION)
	ln -sf libnsiso.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libnsiso.so.0
	ln -sf libnsiso.so.0 $(DESTDIR)$(LIBDIR)/libnsiso.so
	install -d $(DESTDIR)$(LIBEXECDIR)/nsiso
	install -m 755 build/libexec/nsiso/nsiso-helper $(DESTDIR)$(LIBEXECDIR)/nsiso/nsiso-helper
	install -m 644 build/lib/libnsiso.a $(DESTDIR)$(LIBDIR)/libnsiso.a
	install -m 644 include/nsiso.h $(DESTDIR)$(PREFIX)/include/nsiso.h
	python3 docs/tools/man.py $(DESTDIR)$(PREFIX)/share/man
	install -d $(DESTDIR)$(PREFIX)/share/nsiso
	install -m 644 include/nsiso-spec.schema.json $(DESTDIR)$(PREFIX)/share/nsiso/nsiso-spec.schema.json
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' \
	    crates/nsiso-capi/nsiso.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/nsiso.pc
	@# Where it has no effect, the program needs an rpath: docs/how-to/cpp-and-static-linking.md.
	@[ -n "$(DESTDIR)" ] || ldconfig 2>/dev/null || true
	@echo "The command nsiso comes with the Python package: pip install bindings/python"

clean:
	rm -rf build target
