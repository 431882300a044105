// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tests' library does what a CDM vendor's sample in C expects of one, so that our reading of
//! OpenCDM's header is also a C compiler's.

use std::process::Command;

use ocdm_clearkey::library;
use support::cc;

#[test]
fn sample_in_c_decrypts_with_the_library() {
    let program = cc::program("tests/cdm/vendor.c", &["gstreamer-1.0", "gmodule-2.0"]);
    let output = Command::new(program).arg(library()).output();
    let output = output.expect("the sample starts");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    let challenge = r#"challenge: 0:Type:{"kids":["AAECAwQFBgcICQoLDA0ODw"],"type":"temporary"}"#;
    assert!(said.contains(challenge), "{said}");
    assert!(said.ends_with("decrypted\n"), "{said}");
}
