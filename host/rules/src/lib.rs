//! Tenant rules in wasmtime: runs, limits, journal, upload.
