//! Generates the wire types from `proto/`, with a compiler written in Rust: building needs no `protoc`.

use std::error::Error;

const FILES: [&str; 5] = [
    "factlog/v1/event.proto",
    "factlog/v1/append.proto",
    "factlog/v1/event_store.proto",
    "factlog/v1/administration.proto",
    "factlog/v1/access.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let descriptors = protox::compile(FILES, ["proto"])?;
    println!("cargo:rerun-if-changed=proto");
    tonic_prost_build::configure()
        .bytes(".factlog.v1.Event")
        .codec_path("crate::codec::Codec")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
