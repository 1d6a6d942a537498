//! Serialization of results: listings and the status of a process. The keys are the names of the
//! attributes in Python. An unknown value is null.

use std::ffi::{CStr, CString};
use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{Exit, Gaps, Held, Holder, Listing, Namespace, Status};

/// Writes a time in seconds.
pub(crate) fn seconds<S: Serializer>(
    time: &(impl Into<Option<Duration>> + Copy),
    serializer: S,
) -> Result<S::Ok, S::Error> {
    (*time).into().map(|time| time.as_secs_f64()).serialize(serializer)
}

/// Writes a string whose bytes that are not UTF-8 are replaced.
pub(crate) fn lossy<S: Serializer>(text: &CString, serializer: S) -> Result<S::Ok, S::Error> {
    text.to_string_lossy().serialize(serializer)
}

/// Writes an object with these keys and values.
macro_rules! object {
    ($serializer:expr, $($key:ident: $value:expr),+ $(,)?) => {{
        let mut object = $serializer.serialize_map(None)?;
        $(object.serialize_entry(stringify!($key), &$value)?;)+
        object.end()
    }};
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (signal, core_dumped) = match self.exit() {
            Exit::Code(_) => (None, false),
            Exit::Signal { signal, core_dumped } => (Some(signal), core_dumped),
        };
        object!(serializer,
            exit_code: self.code(),
            signal: signal,
            core_dumped: core_dumped,
            timed_out: self.timed_out(),
            out_of_memory: self.out_of_memory(),
            usage: self.usage(),
            resources: self.resources(),
        )
    }
}

/// An object with `namespaces`, each with its attributes, `processes` and `holders`, and with
/// `gaps`.
impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'l> {
            #[serde(flatten)]
            attributes: Namespace<'l>,
            processes: &'l [i32],
            holders: Vec<&'l Holder>,
        }
        let namespaces = self.iter().map(|namespace| Whole {
            attributes: namespace,
            processes: namespace.processes(),
            holders: namespace.holders().collect(),
        });
        object!(serializer, namespaces: namespaces.collect::<Vec<_>>(), gaps: self.gaps())
    }
}

/// The attributes, without the processes and the holders. `parent` and `owner` are indices in the
/// listing.
impl Serialize for Namespace<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let index = |namespace: Namespace<'_>| namespace.index();
        let inode = |namespace: Namespace<'_>| namespace.inode();
        object!(serializer,
            kind: self.kind_name(),
            inode: self.inode(),
            device: self.device(),
            id: self.id(),
            nprocs: self.processes().len(),
            pid: self.pid(),
            ppid: self.ppid(),
            uid: self.uid(),
            user: self.user().map(CStr::to_string_lossy),
            command: self.command().map(CStr::to_string_lossy),
            parent: self.parent().and_then(index),
            parent_inode: self.parent().map(inode),
            owner: self.owner().and_then(index),
            owner_inode: self.owner().map(inode),
            creator: self.creator(),
            depth: self.depth(),
            nsid: self.nsid(),
            held: self.held(),
        )
    }
}

/// The names of the flags in lower case.
impl Serialize for Held {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter_names().map(|(name, _)| name.to_lowercase()))
    }
}

/// The fields, and whether the listing is complete.
impl Serialize for Gaps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        object!(serializer,
            complete: self.is_complete(),
            unreadable: self.unreadable,
            vanished: self.vanished,
            closed: self.closed,
            sockets: self.sockets,
            undescribed: self.undescribed,
            foreign_proc: self.foreign_proc,
            inner_pid_namespace: self.inner_pid_namespace,
            hidden_processes: self.hidden_processes,
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;
    use crate::{Feature, Kinds, Pressure, Query, Resources, Stall, Support, Usage};

    #[test]
    fn a_status_has_seconds_and_null_for_what_is_unknown() {
        let status = Status { exit: Exit::Code(3), usage: None, timed_out: false, resources: None };
        let expected = json!({
            "exit_code": 3, "signal": null, "core_dumped": false, "timed_out": false,
            "out_of_memory": false, "usage": null, "resources": null,
        });
        assert_eq!(to_value(status).unwrap(), expected);
        let usage = Usage {
            user_time: Duration::from_millis(1250),
            system_time: Duration::from_nanos(1),
            peak_memory: 4096,
        };
        let exit = Exit::Signal { signal: 9, core_dumped: true };
        let resources = Resources { oom_kills: Some(1), ..Resources::default() };
        let written =
            to_value(Status { exit, usage: Some(usage), timed_out: true, resources: Some(resources) })
                .unwrap();
        assert_eq!((&written["exit_code"], &written["signal"]), (&json!(null), &json!(9)));
        assert!(written["core_dumped"] == true && written["out_of_memory"] == true);
        assert_eq!(
            written["usage"],
            json!({"user_time": 1.25, "system_time": 0.000000001, "peak_memory": 4096})
        );
        assert_eq!((&written["timed_out"], &written["resources"]["oom_kills"]), (&json!(true), &json!(1)));
    }

    #[test]
    fn resources_have_pressures_in_percent_and_seconds() {
        let some = Stall { avg10: 0.5, avg60: 0.0, avg300: 0.0, total: Duration::from_millis(1) };
        let resources = Resources {
            memory: Some(u64::MAX),
            cpu_time: Some(Duration::from_millis(500)),
            io_pressure: Some(Pressure { some, full: None }),
            ..Resources::default()
        };
        let pressure =
            json!({"some": {"avg10": 0.5, "avg60": 0.0, "avg300": 0.0, "total": 0.001}, "full": null});
        let expected = json!({
            "memory": u64::MAX, "peak_memory": null, "oom_kills": null, "cpu_time": 0.5,
            "throttled_time": null, "pids": null, "read_bytes": null, "written_bytes": null,
            "memory_pressure": null, "cpu_pressure": null, "io_pressure": pressure,
        });
        assert_eq!(to_value(resources).unwrap(), expected);
    }

    #[test]
    fn a_feature_has_its_support_by_name() {
        let feature = |support| Feature {
            name: "net",
            description: "networks",
            support,
            detail: String::new(),
            hint: "try".into(),
        };
        let supports =
            [(Support::Yes, "yes"), (Support::InUserNamespace, "in_user_namespace"), (Support::No, "no")];
        for (support, name) in supports {
            let expected = json!({"name": "net", "description": "networks", "support": name, "detail": "", "hint": "try"});
            assert_eq!(to_value(feature(support)).unwrap(), expected);
        }
    }

    #[test]
    fn a_holder_has_only_its_own_keys() {
        let path = c"/run/\xff".into();
        let mount = Holder::Mount { pid: 1, mount_namespace: 2, path };
        let expected = json!({"how": "mount", "pid": 1, "mount_namespace": 2, "path": "/run/\u{fffd}"});
        assert_eq!(to_value(mount).unwrap(), expected);
        let thread = Holder::PidForChildren { pid: 1, tid: 2 };
        assert_eq!(to_value(thread).unwrap(), json!({"how": "pid_for_children", "pid": 1, "tid": 2}));
    }

    #[test]
    fn a_listing_has_all_that_its_namespaces_have() {
        let listing = Query::new().list().unwrap();
        let written = to_value(&listing).unwrap();
        assert_eq!(written["gaps"]["complete"], listing.gaps().is_complete());
        assert_eq!(written["gaps"]["unreadable"], listing.gaps().unreadable);
        assert_eq!(written["namespaces"].as_array().unwrap().len(), listing.len());
        let pid = std::process::id() as i32;
        let own = listing.find_process(pid, Kinds::NET).unwrap();
        let object = &written["namespaces"][own.index().unwrap()];
        assert_eq!((&object["kind"], &object["inode"]), (&json!("net"), &json!(own.inode())));
        assert_eq!(object["processes"], json!(own.processes()));
        assert!(object["held"].as_array().unwrap().contains(&json!("processes")));
        assert_eq!(object["holders"].as_array().unwrap().len(), own.holders().len());
        assert_eq!(object["nprocs"], own.processes().len());
        assert_eq!(object["owner"], json!(own.owner().and_then(|owner| owner.index())));
        assert_eq!(object["owner_inode"], json!(own.owner().map(|owner| owner.inode())));
        assert_eq!(to_value(own).unwrap().get("processes"), None);
    }
}
