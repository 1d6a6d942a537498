//! Tests the hints for failures that the test machine may not be able to provoke.

use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

fn plan() -> Plan {
    Plan::new(&Spec::new("true").unwrap()).unwrap()
}

fn op(step: Step) -> Op {
    Op { action: Action::NewSession, step, index: None }
}

#[test]
fn a_namespace_limit_is_not_a_full_disk() {
    let read = |path: &str| (path == "/proc/sys/user/max_net_namespaces").then(|| "0".to_owned());
    let hint = clone_hint(libc::ENOSPC, Kinds::NET | Kinds::USER, &read);
    assert!(hint.contains("not about disk space"), "{hint}");
    assert!(hint.contains("/proc/sys/user/max_net_namespaces is 0"), "{hint}");
    assert!(hint.contains("32 deep"), "{hint}");
}

#[test]
fn missing_privilege_names_the_user_namespace() {
    let hint = clone_hint(libc::EPERM, Kinds::NET, &nothing);
    assert!(hint.contains("CAP_SYS_ADMIN") && hint.contains("add the kind user"), "{hint}");
}

#[test]
fn refused_user_namespaces_quote_the_settings_of_the_host() {
    let read = |path: &str| (path == "/proc/sys/kernel/unprivileged_userns_clone").then(|| "0".to_owned());
    for errno in [libc::EPERM, libc::EACCES] {
        let hint = clone_hint(errno, Kinds::USER | Kinds::PID, &read);
        assert!(hint.contains("unprivileged_userns_clone is 0"), "{hint}");
        let allowed = |path: &str| (path != APPARMOR).then(|| "1".to_owned());
        let hint = clone_hint(errno, Kinds::USER, &allowed);
        assert!(!hint.contains(" is 1"), "a setting that allows them is no cause: {hint}");
        assert!(hint.contains("seccomp") && hint.contains("chroot"), "{hint}");
    }
}

#[test]
fn an_old_kernel_and_a_filter_are_both_named() {
    let hint = clone_hint(libc::ENOSYS, Kinds::USER, &nothing);
    assert!(hint.contains("5.10") && hint.contains("seccomp"), "{hint}");
}

#[test]
fn used_up_resources_give_the_current_limit() {
    assert!(clone_hint(libc::EAGAIN, Kinds::empty(), &nothing).contains("RLIMIT_NPROC ("));
    assert!(clone_hint(libc::EMFILE, Kinds::empty(), &nothing).contains("RLIMIT_NOFILE is "));
    assert!(clone_hint(libc::ENOMEM, Kinds::empty(), &nothing).contains("memory"));
}

#[test]
fn apparmor_is_named_where_it_takes_the_capabilities() {
    let read = |path: &str| (path == APPARMOR).then(|| "1".to_owned());
    for step in [Step::UidMap, Step::Loopback, Step::Hostname] {
        let hint = step_hint(&plan(), &op(step), libc::EPERM, Kinds::USER, &read);
        assert!(hint.contains("AppArmor") && hint.contains("\"userns,\""), "{hint}");
        let hint = step_hint(&plan(), &op(step), libc::EPERM, Kinds::USER, &nothing);
        assert!(!hint.contains("AppArmor") && !hint.is_empty(), "{hint}");
    }
}

#[test]
fn a_gid_map_needs_setgroups_denied() {
    let hint = step_hint(&plan(), &op(Step::GidMap), libc::EPERM, Kinds::USER, &nothing);
    assert!(hint.contains("setgroups is denied"), "{hint}");
}

#[test]
fn a_refused_proc_mount_tells_its_two_causes_apart() {
    let hint = step_hint(&plan(), &op(Step::MountProc), libc::EPERM, Kinds::USER, &nothing);
    assert!(hint.contains("add the kind pid"), "{hint}");
    let hint = step_hint(&plan(), &op(Step::MountProc), libc::EPERM, Kinds::USER | Kinds::PID, &nothing);
    assert!(hint.contains("covered by other mounts"), "{hint}");
}

#[test]
fn frozen_clock_offsets_are_explained() {
    let hint = step_hint(&plan(), &op(Step::ClockOffset), libc::EACCES, Kinds::TIME, &nothing);
    assert!(hint.contains("frozen"), "{hint}");
}

#[test]
fn a_missing_proc_says_what_needs_it() {
    for step in [Step::UidMap, Step::Setgroups, Step::ClockOffset] {
        let hint = step_hint(&plan(), &op(step), libc::ENOENT, Kinds::USER, &nothing);
        assert!(hint.contains("/proc is needed"), "{hint}");
    }
}
