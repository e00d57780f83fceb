//! Generates the wire types from `proto/`, with a compiler written in Rust: building needs no `protoc`.

use std::error::Error;
use std::path::PathBuf;

use protox::prost::Message as _;

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
    let mut reflected = descriptors.clone();
    for file in &mut reflected.file {
        // Comments are for those who read the files; they are most of the bytes.
        file.source_code_info = None;
    }
    let directory = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is set by Cargo")?);
    std::fs::write(directory.join("factlog.v1.descriptors"), reflected.encode_to_vec())?;
    tonic_prost_build::configure()
        .bytes(".factlog.v1.Event")
        // Written from the store's events without a copy of their names.
        .extern_path(".factlog.v1.RecordedEvent", "crate::recorded::RecordedEvent")
        .codec_path("crate::codec::Codec")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)?;
    Ok(())
}
