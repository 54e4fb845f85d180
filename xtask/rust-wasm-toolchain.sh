#!/bin/bash
# Makes a Rust toolchain for wasm32-unknown-unknown where `rustup target add` does not work: Debian's rustc-web and the sources of
# its standard library, unpacked into a folder of our own (nothing is installed), and that library built once, in about 70 s.
# Usage: rust-wasm-toolchain.sh PREFIX. Afterwards PREFIX/rustc is a compiler that has the target.
set -euo pipefail
PREFIX=${1:?usage: rust-wasm-toolchain.sh PREFIX}
T=wasm32-unknown-unknown
P=$PREFIX/usr
HOST=$(rustc -vV | sed -n 's/^host: //p')
BIN=$(rustc --print sysroot)/lib/rustlib/$HOST/bin
say() { printf '%s\n' "$*" >&2; }

if [ -d "$P/lib/rustlib/$T/lib" ]; then exit 0; fi
for tool in apt-get dpkg cargo; do
  command -v "$tool" >/dev/null || { say "$tool is not here, so this way is closed"; exit 1; }
done
mkdir -p "$PREFIX"
PREFIX=$(cd "$PREFIX" && pwd); P=$PREFIX/usr
W=$(mktemp -d)
trap 'rm -rf "$W"' EXIT
cd "$W"

say "looking for Debian's rustc-web"
if ! apt-cache show rustc-web >/dev/null 2>&1; then apt-get -qq update >&2; fi
V=$(apt-cache depends libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p' | head -1)
L=$(apt-cache depends "$V" | sed -n 's/.*Depends: \(libllvm[0-9]*\)$/\1/p' | head -1)
say "fetching rustc-web, $V, $L and the sources of the standard library (about 150 MB)"
apt-get -qq -o APT::Sandbox::User=root download rustc-web libstd-rust-web-dev "$V" "$L" rust-web-src >&2
for d in rustc-web_* "${V}"_* libstd-rust-web-dev_* "${L}"_*; do dpkg -x "$d" "$PREFIX"; done
dpkg-deb --fsys-tarfile rust-web-src_*.deb > src.tar
tar -x -C "$PREFIX" -f src.tar --wildcards './usr/src/*/library' './usr/src/*/Cargo.lock' './usr/lib'

# A link and not a copy: rust-lld looks for its libraries beside itself.
mkdir -p "$P/lib/rustlib/$HOST/bin"
ln -sfn "$BIN/rust-lld" "$P/lib/rustlib/$HOST/bin/rust-lld"
LIBS=$(dirname "$(find "$P/lib" -name 'libLLVM*.so*' | head -1)")
printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$LIBS" "$P/bin/rustc" > "$PREFIX/rustc"
chmod +x "$PREFIX/rustc"

# Bit code has to be embedded, or `lto = true` fails in the rules.
say "building the standard library for $T"
mkdir -p b/src
printf '[package]\nname="b"\nversion="0.0.0"\nedition="2021"\n[profile.release]\npanic="abort"\nopt-level="s"\n' > b/Cargo.toml
: > b/src/lib.rs
(cd b && RUSTFLAGS="-Cembed-bitcode=yes" RUSTC_BOOTSTRAP=1 RUSTC="$PREFIX/rustc" \
  cargo build --release -Zbuild-std=std,panic_abort --target "$T" --target-dir "$W/t" </dev/null >&2)
rm -rf "$P/lib/rustlib/$T"
mkdir -p "$P/lib/rustlib/$T/lib.new"
cp "$W/t/$T"/release/deps/lib*.rlib "$P/lib/rustlib/$T/lib.new/"
rm -f "$P/lib/rustlib/$T"/lib.new/libb-*
mv "$P/lib/rustlib/$T/lib.new" "$P/lib/rustlib/$T/lib"
say "$PREFIX/rustc is ready"
