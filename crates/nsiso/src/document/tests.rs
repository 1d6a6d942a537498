//! What a document keeps, refuses and makes of a spec.

use super::*;
use crate::Mount;

/// Where the text is wrong, and the hint.
fn refusal(text: &str) -> String {
    let error = Document::from_json(text).and_then(|document| document.spec()).unwrap_err();
    assert_eq!(error.errno(), libc::EINVAL, "{error}");
    format!("{} ({})", error.message(), error.hint())
}

#[test]
fn a_mistake_is_told_with_its_path_and_the_nearest_name() {
    for (text, told) in [
        (r#"{"hostnam": "box"}"#, r#"hostnam: unknown key "hostnam" (did you mean hostname?)"#),
        (r#"{"timeout": 5}"#, r#"timeout: unknown key "timeout" (did you mean deadline?)"#),
        (r#"{"memory": "1M"}"#, r#"memory: unknown key "memory" (did you mean limits.memory?)"#),
        (
            r#"{"mounts": [{"type": "bind", "target": "/a", "sorce": "/"}]}"#,
            r#"mounts[0].sorce: unknown key "sorce" (did you mean source?)"#,
        ),
        (
            r#"{"mounts": [{"type": "mask", "target": "/a"}, {"type": "tmpfs", "target": "/b", "size": "lots"}]}"#,
            r#"mounts[1].size: expected a size in bytes, such as 4096 or "256M", not "lots""#,
        ),
        (
            r#"{"mounts": [{"type": "bind", "target": "/a", "size": 5, "source": "/"}]}"#,
            r#"mounts[0].size: a mount of type "bind" has none; it is for "tmpfs""#,
        ),
        (r#"{"mounts": [{"type": "bind", "target": "/a"}]}"#, "mounts[0].source: it is missing"),
        (r#"{"mounts": [{"type": "tmpfs", "target": "a"}]}"#, r#"mounts[0]: the target "a" is not absolute"#),
        (
            r#"{"mounts": [{"type": "bnd", "target": "/a"}]}"#,
            r#"mounts[0].type: unknown value "bnd" (did you mean bind?)"#,
        ),
        (r#"{"uid_map": [[0, 1, 1], [0, 5, 1]]}"#, "uid_map[1]: uid range 0 5 1 overlaps"),
        (r#"{"user": "yes"}"#, r#"user: expected true or false, not "yes""#),
        (r#"{"nice": 100}"#, "nice: 100 is not a nice value"),
        (r#"{"rlimits": {"files": 5}}"#, r#"rlimits.files: "files" is no resource limit"#),
        (r#"{"landlock": true}"#, "landlock: true has no rules"),
        (r#"{"seccomp": {"deny": ["mkdirr"]}}"#, "seccomp: "),
        (r#"{"sandbox": true, "share": ["user"]}"#, "share: a sandbox cannot do without a user namespace"),
        (r#"{"share": ["usr"]}"#, "share[0]: unknown value \"usr\" (did you mean user?)"),
        (r#"{"cwd": {"base64": "?"}}"#, "cwd: this is not base64: "),
        (r#"{"cwd": {"base46": "Lw=="}}"#, "cwd: expected text, or"),
        (r#"{"init": false, "deadline": 5}"#, "init: wait_for_all, die_with_parent and deadline need it"),
        (r#"{"landlock": {"raed": ["/"]}}"#, r#"landlock.raed: unknown key "raed" (did you mean read?)"#),
        (r#"{"seccomp": [true]}"#, "seccomp[0]: expected an object, not true"),
        (
            r#"{"seccomp": [{"deny": ["mkdir"]}, {"deny": ["nope"]}]}"#,
            "seccomp[1]: \"nope\" is no system call",
        ),
        (
            r#"{"seccomp": {"deny": ["mkdir"], "errno": 1, "action": "kill"}}"#,
            "seccomp.errno: only the action fail",
        ),
        (
            r#"{"links": [{"inside": {"addresses": "::1/129"}}]}"#,
            "links[0].inside.addresses: ::1/129: a prefix",
        ),
        (r#"{"links": [{"outside": {"mtu": 1}}]}"#, "links[0].outside.mtu: an MTU of 1"),
        (r#"{"devices": {"eth1": {"netns": 0}}}"#, "devices.netns: this end is in"),
        (r#"{"limits": {"cpu_weight": 0}}"#, "limits.cpu_weight: 0 is no weight"),
        (r#"{"uplink": {"tcp": [[0, 1]]}}"#, "uplink.tcp[0]: 0:1: 0 is no port"),
        (r#"{"deadline": "-1s"}"#, "deadline: a deadline lies more than 0"),
        (
            r#"{"sandbox": true, "init": false, "die_with_parent": true}"#,
            "init: wait_for_all, die_with_parent and deadline need it",
        ),
        (r#"{"uid": -1}"#, "uid: expected a number from 0 to 4294967295, not -1"),
        (r#"{"pty": [1]}"#, "pty: expected a list of two, not of 1"),
        (r#"{"cpus": 1.5}"#, "cpus: expected a list, not 1.5"),
        (r#"{"pin": []}"#, "pin: expected an object, not a list"),
        (
            r#"{"rlimits": {"nofile": "many"}}"#,
            r#"rlimits.nofile: expected a number, a size such as "256M", "unlimited""#,
        ),
        (r#"{"fds": {"0": "nul"}}"#, r#"fds.0: unknown value "nul" (did you mean null?)"#),
        (
            r#"{"join": [{"pidfd": 0, "kinds": ["nt"]}]}"#,
            r#"join[0].kinds[0]: unknown value "nt" (did you mean mnt?)"#,
        ),
        (r#"{"hostname": "a"} {}"#, "spec document: trailing characters"),
        (r#"{"sandbox": null}"#, "sandbox: expected a value: leave out"),
        (r#"{"sandbox": true, "sandbox": false}"#, "spec document: a key comes twice"),
        (r#"{"env": {"A": "1", "A": "2"}}"#, "env: a key comes twice"),
        ("[]", "spec document: expected an object"),
        (r#"{"limits": ["1M"]}"#, "limits: expected an object, not a list"),
        (r#"{"links": [[{}, {}]]}"#, "links[0]: expected an object, not a list"),
        (r#"{"seccomp": [[[[[[[[[[[[[1]]]]]]]]]]]]]}"#, "seccomp[0][0]"),
        (r#"{"share": ["net"]}"#, "share: it loosens a sandbox"),
        (
            r#"{"sandbox": true, "share": ["net"], "net": true}"#,
            "share: a net namespace cannot be both shared and new",
        ),
        (
            r#"{"mounts": [{"type": "tmpfs", "target": "/t", "mode": 4096}]}"#,
            "mounts[0].mode: 0o10000 are no permissions",
        ),
        ("[", "spec document: EOF while parsing"),
    ] {
        assert!(refusal(text).starts_with(told), "{text}: {}", refusal(text));
    }
}

/// A document with every option.
const EVERYTHING: &str = include_str!("everything.json");

#[test]
fn every_option_is_kept_over_json() {
    let document = Document::from_json(EVERYTHING).unwrap();
    assert_eq!(Document::from_json(&document.to_json()).unwrap(), document);
    let given: serde_json::Value = serde_json::from_str(EVERYTHING).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&Document::schema()).unwrap();
    let names = |value: &serde_json::Value| -> std::collections::BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let (known, named) = (names(&schema["properties"]), names(&given));
    let different: Vec<_> = known.symmetric_difference(&named).collect();
    assert!(different.is_empty(), "everything.json lacks, or has too much: {different:?}");
}

/// The options of the document with every one, each as a document of its own.
fn options() -> Vec<(String, serde_json::Value)> {
    let mut everything: serde_json::Value = serde_json::from_str(EVERYTHING).unwrap();
    // A descriptor of a namespace, which stays open.
    let namespace = std::fs::File::open("/proc/self/ns/net").unwrap();
    everything["join"] = serde_json::json!([std::os::fd::IntoRawFd::into_raw_fd(namespace)]);
    let fields = everything.as_object().unwrap().clone();
    fields.into_iter().map(|(option, value)| (option.clone(), serde_json::json!({ option: value }))).collect()
}

fn of(value: serde_json::Value) -> Document {
    Document::from_value(&value).unwrap()
}

#[test]
fn every_option_reaches_the_spec_and_comes_back() {
    for (option, document) in options() {
        // It loosens what the sandbox has set.
        let before = if option == "share" { r#"{"sandbox": true}"# } else { "{}" };
        let mut spec = Document::from_json(before).unwrap().spec().unwrap();
        let was = format!("{spec:?}");
        of(document).apply(&mut spec).unwrap();
        let is = format!("{spec:?}");
        assert!(is != was, "{option} changes nothing");
        let written = Document::of(&spec).unwrap().to_json();
        let again = Document::from_json(&written).unwrap().spec().unwrap();
        assert_eq!(format!("{again:?}"), is, "{option}: {written}");
    }
}

#[test]
fn any_options_together_come_back() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    for round in 0..500 {
        let mut document = serde_json::json!({ "sandbox": round % 2 == 0 });
        for (option, value) in options() {
            // They do not go with others, or need them.
            let odd = ["sandbox", "share", "map_current", "args", "program"].contains(&option.as_str());
            if !odd && random.below(3) == 0 {
                document[&option] = value[&option].clone();
            }
        }
        let spec = of(document.clone()).spec().unwrap();
        let written = Document::of(&spec).unwrap().to_json();
        let again = Document::from_json(&written).unwrap().spec().unwrap();
        assert_eq!(format!("{again:?}"), format!("{spec:?}"), "{document}\n{written}");
    }
}

#[test]
fn a_sandbox_is_written_as_one() {
    let mut spec = Spec::new("sh").unwrap();
    spec.sandbox().unwrap().hostname("judge").unwrap().nice(3).unwrap();
    spec.mount(Mount::tmpfs("/work").unwrap()).rlimit("nofile", 9, 9).unwrap();
    spec.landlock(None).seccomp(None).init(false).new_privs(true).share(Kinds::NET).user_namespaces(true);
    let document = Document::of(&spec).unwrap();
    let written: serde_json::Value = serde_json::from_str(&document.to_json()).unwrap();
    let wanted = serde_json::json!({
        "sandbox": true, "share": ["net"], "hostname": "judge", "nice": 3, "landlock": false, "seccomp": false,
        "init": false, "die_with_parent": false, "new_privs": true, "user_namespaces": true, "rlimits": {"nofile": [9, 9]},
        "mounts": [{"type": "tmpfs", "target": "/work", "mode": 493}],
    });
    assert_eq!(written, wanted);
    let again = document.spec().unwrap();
    assert_eq!(format!("{again:?}"), format!("{spec:?}"));
}

/// A small generator of numbers that look random: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Values that are wrong in most places.
const ODD: [&str; 14] = [
    "null",
    "true",
    "-1",
    "0",
    "1e300",
    "4294967295",
    "18446744073709551615",
    "\"\"",
    "\"/\"",
    "\"\\u0000\"",
    "[]",
    "{}",
    "[[[1]]]",
    "{\"type\": \"bind\"}",
];

/// Replaces, removes or doubles some value in it.
fn change(value: &mut serde_json::Value, random: &mut Random) {
    let odd = |random: &mut Random| serde_json::from_str(ODD[random.below(ODD.len())]).unwrap();
    match value {
        serde_json::Value::Object(fields) if !fields.is_empty() && random.below(4) > 0 => {
            let name = fields.keys().nth(random.below(fields.len())).unwrap().clone();
            match random.below(6) {
                0 => drop(fields.remove(&name)),
                1 => drop(fields.insert(name + "x", odd(random))),
                _ => change(&mut fields[&name], random),
            }
        }
        serde_json::Value::Array(items) if !items.is_empty() && random.below(4) > 0 => {
            let index = random.below(items.len());
            match random.below(6) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => change(&mut items[index], random),
            }
        }
        other => *other = odd(random),
    }
}

/// NSISO_FUZZ_SECONDS makes it longer.
#[test]
fn a_broken_document_is_an_error_and_nothing_worse() {
    let seconds = std::env::var("NSISO_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds.unwrap_or(1));
    let everything: serde_json::Value = serde_json::from_str(EVERYTHING).unwrap();
    let (mut random, mut refused) = (Random(0x9E37_79B9_7F4A_7C15), 0);
    while refused < 100 || std::time::Instant::now() < end {
        let mut value = everything.clone();
        for _ in 0..1 + random.below(4) {
            change(&mut value, &mut random);
        }
        let mut text = value.to_string().into_bytes();
        if random.below(4) == 0 {
            let at = random.below(text.len());
            text[at] = random.below(128) as u8;
            text.truncate(1 + random.below(text.len()));
        }
        let text = String::from_utf8(text).unwrap();
        match Document::from_json(&text).and_then(|document| document.spec()) {
            Ok(spec) => drop(spec),
            Err(error) => {
                assert!(!error.message().is_empty(), "{text}");
                refused += 1;
            }
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_come_back() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let odd = OsStr::from_bytes(b"/\xff");
    let mut spec = Spec::new(odd).unwrap();
    spec.hostname(odd).unwrap().cwd(odd).unwrap().env("A", odd).unwrap().pin(Kinds::NET, odd).unwrap();
    spec.mount(Mount::bind(odd, odd).unwrap()).mount(Mount::file(b"\xff", odd, 0o644).unwrap());
    spec.landlock(crate::Landlock::new().read(odd).unwrap()).cgroup_parent(odd).unwrap();
    spec.limits(crate::Limits::new().pids(7));
    let written = Document::of(&spec).unwrap().to_json();
    let again = Document::from_json(&written).unwrap().spec().unwrap();
    assert_eq!(format!("{again:?}"), format!("{spec:?}"), "{written}");
    spec.env(odd, "1").unwrap();
    let error = Document::of(&spec).unwrap_err();
    assert!(error.message().starts_with("env: the name"), "{error}");
}

#[test]
fn a_filter_that_allows_everything_comes_back() {
    use crate::{Seccomp, SeccompAction};
    let mut spec = Spec::new("id").unwrap();
    spec.seccomp(Seccomp::deny(["mkdir"], SeccompAction::Allow).unwrap());
    let written = Document::of(&spec).unwrap().to_json();
    assert!(written.contains("\"raw\""), "{written}");
    Document::from_json(&written).unwrap().spec().unwrap();
}

#[test]
fn a_descriptor_must_be_open() {
    for text in [
        r#"{"fds": {"5": 999}}"#,
        r#"{"cwd_at": -1}"#,
        r#"{"mounts": [{"type": "bind", "fd": 999, "target": "/a"}]}"#,
    ] {
        let error = Document::from_json(text).unwrap().spec().unwrap_err();
        assert_eq!(error.errno(), libc::EINVAL, "{error}");
        assert!(error.message().contains("is not open"), "{error}");
    }
}

#[test]
fn control_characters_and_long_names_stay_out_of_messages() {
    let error = Document::from_json("{\"\\u001b[31mred\\n\": 1}").unwrap_err();
    assert!(!error.message().contains(['\u{1b}', '\n']), "{error:?}");
    let error = Document::from_json(&format!("{{\"{}\": 1}}", "k".repeat(1 << 20))).unwrap_err();
    assert!(error.message().len() < 300 && error.hint().len() < 300, "{error:?}");
}

#[test]
fn what_contradicts_itself_does_not_come_back_as_something_else() {
    for text in
        [r#"{"seccomp": true, "new_privs": true}"#, r#"{"sandbox": true, "hostname": "a", "share": ["uts"]}"#]
    {
        let spec = Document::from_json(text).unwrap().spec().unwrap();
        let written = Document::of(&spec).unwrap().to_json();
        let again = Document::from_json(&written).unwrap().spec().unwrap();
        assert_eq!(format!("{again:?}"), format!("{spec:?}"), "{written}");
    }
}
