//! Tells Cargo to embed the studio again whenever its build changed.

use std::path::Path;

fn main() {
    // Without a build of the studio, its folder is watched for one to appear.
    let built = "client-sdk/app/dist";
    let watched = if Path::new(built).exists() { built } else { "client-sdk/app" };
    println!("cargo::rerun-if-changed={watched}");
    println!("cargo::rerun-if-changed=migrations");
}
