// SPDX-License-Identifier: MIT OR Apache-2.0

//! Small parts in C beside a test or a benchmark, compiled when it runs: elements to compare ours
//! with, programs, and libraries that stand between a process and the C library (`LD_PRELOAD`).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::folders::{repository, scratch};

/// A library from the source in that file of the repository, optimised, with what pkg-config says
/// of these packages.
pub fn library(source: &str, packages: &[&str]) -> PathBuf {
    compile(source, &["-shared", "-fPIC"], packages, "so")
}

/// One in front of that library: what it does not have itself, that one has.
pub fn library_over(source: &str, packages: &[&str], behind: &Path) -> PathBuf {
    let folder = behind.parent().expect("a library has a folder");
    let link = [
        "-shared".to_owned(),
        "-fPIC".to_owned(),
        "-Wl,--no-as-needed".to_owned(),
        behind.display().to_string(),
        format!("-Wl,-rpath,{}", folder.display()),
    ];
    compile(source, &link.each_ref().map(String::as_str), packages, "so")
}

/// A program, likewise.
pub fn program(source: &str, packages: &[&str]) -> PathBuf {
    compile(source, &[], packages, "bin")
}

fn compile(source: &str, kind: &[&str], packages: &[&str], extension: &str) -> PathBuf {
    let source = repository().join(source);
    let name = source.file_stem().expect("a source has a name");
    let output = scratch().join(name).with_extension(extension);
    let mut compiler = Command::new("cc");
    compiler
        .args(["-O2", "-Wall", "-Wextra", "-Werror"])
        .args(kind)
        .arg("-o")
        .arg(&output)
        .arg(&source)
        .args(flags(packages));
    let compiled = compiler.output().expect("cc starts");
    assert!(
        compiled.status.success(),
        "{compiler:?}\n{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    output
}

fn flags(packages: &[&str]) -> Vec<String> {
    if packages.is_empty() {
        return Vec::new();
    }
    let asked = Command::new("pkg-config")
        .args(["--cflags", "--libs"])
        .args(packages)
        .output()
        .expect("pkg-config starts");
    assert!(
        asked.status.success(),
        "{}",
        String::from_utf8_lossy(&asked.stderr)
    );
    let flags = String::from_utf8(asked.stdout).expect("flags are text");
    flags.split_whitespace().map(str::to_owned).collect()
}
