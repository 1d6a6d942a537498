//! Options of a `Spec` for isolation: mounts, privileges, scheduling, restrictions, the init
//! process and the terminal.

use std::ffi::OsString;
use std::time::Duration;

use nsiso::{Landlock, Mount, Seccomp, SeccompAction};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::{Spec, enter, list, raise};

/// Options of a mount: read_only, if_exists, noexec, suid, devices, non_recursive.
type Flags = (bool, bool, bool, bool, bool, bool);

fn flagged<'a>(mount: Mount<'a>, flags: Flags) -> Mount<'a> {
    let (read_only, if_exists, noexec, suid, devices, non_recursive) = flags;
    type Change<'a> = fn(Mount<'a>) -> Mount<'a>;
    let changes: [(bool, Change<'a>); 6] = [
        (read_only, Mount::read_only),
        (if_exists, Mount::if_exists),
        (noexec, Mount::noexec),
        (suid, Mount::suid),
        (devices, Mount::devices),
        (non_recursive, Mount::non_recursive),
    ];
    changes.into_iter().filter(|(wanted, _)| *wanted).fold(mount, |mount, (_, change)| change(mount))
}

fn action(name: &str, errno: i32) -> PyResult<SeccompAction> {
    match name {
        "fail" => Ok(SeccompAction::Fail(errno)),
        "kill" => Ok(SeccompAction::Kill),
        "trap" => Ok(SeccompAction::Trap),
        "log" => Ok(SeccompAction::Log),
        _ => Err(PyValueError::new_err(format!("{name:?} is no action: fail, kill, trap or log"))),
    }
}

impl Spec {
    fn add(
        &mut self,
        py: Python<'_>,
        mount: nsiso::Result<Mount<'static>>,
        change: impl FnOnce(Mount<'static>) -> Mount<'static>,
    ) -> PyResult<()> {
        let mount = mount.map_err(|error| raise(py, error))?;
        self.0.mount(change(mount));
        Ok(())
    }
}

#[pymethods]
impl Spec {
    fn bind(&mut self, py: Python<'_>, source: OsString, at: OsString, flags: Flags) -> PyResult<()> {
        self.add(py, Mount::bind(source, at), |mount| flagged(mount, flags))
    }

    fn bind_fd(&mut self, py: Python<'_>, source: i32, at: OsString, flags: Flags) -> PyResult<()> {
        self.add(py, Mount::bind_fd(enter::borrowed(source)?, at), |mount| flagged(mount, flags))
    }

    fn bind_idmapped(
        &mut self,
        py: Python<'_>,
        source: OsString,
        at: OsString,
        user: i32,
        flags: Flags,
    ) -> PyResult<()> {
        let user = enter::borrowed(user)?;
        self.add(py, Mount::bind(source, at), |mount| flagged(mount.id_map(user), flags))
    }

    fn tmpfs(
        &mut self,
        py: Python<'_>,
        at: OsString,
        size: Option<u64>,
        mode: u32,
        flags: Flags,
    ) -> PyResult<()> {
        self.add(py, Mount::tmpfs(at), |mount| {
            let mount = flagged(mount.mode(mode), flags);
            size.map_or(mount.clone(), |size| mount.size(size))
        })
    }

    fn procfs(
        &mut self,
        py: Python<'_>,
        at: OsString,
        hidepid: Option<String>,
        subset_pid: bool,
        flags: Flags,
    ) -> PyResult<()> {
        let mount = Mount::procfs(at).and_then(|mount| match hidepid {
            Some(hidepid) => mount.hidepid(&hidepid),
            None => Ok(mount),
        });
        self.add(py, mount, |mount| flagged(if subset_pid { mount.subset_pid() } else { mount }, flags))
    }

    fn dev(&mut self, py: Python<'_>, at: OsString) -> PyResult<()> {
        self.add(py, Mount::dev(at), |mount| mount)
    }

    fn sysfs(&mut self, py: Python<'_>, at: OsString) -> PyResult<()> {
        self.add(py, Mount::sysfs(at), |mount| mount)
    }

    fn mqueue(&mut self, py: Python<'_>, at: OsString) -> PyResult<()> {
        self.add(py, Mount::mqueue(at), |mount| mount)
    }

    fn overlay(
        &mut self,
        py: Python<'_>,
        lower: OsString,
        beneath: Vec<OsString>,
        changes: Option<(OsString, OsString)>,
        at: OsString,
        flags: Flags,
    ) -> PyResult<()> {
        let mount = match changes {
            None => Mount::overlay(lower, at),
            Some((upper, work)) => Mount::overlay_kept(lower, upper, work, at),
        };
        let mount = beneath.into_iter().fold(mount, |mount, tree| mount?.lower(tree));
        self.add(py, mount, |mount| flagged(mount, flags))
    }

    fn dir(&mut self, py: Python<'_>, at: OsString, mode: u32) -> PyResult<()> {
        self.add(py, Mount::dir(at, mode), |mount| mount)
    }

    fn symlink(&mut self, py: Python<'_>, to: OsString, at: OsString) -> PyResult<()> {
        self.add(py, Mount::symlink(to, at), |mount| mount)
    }

    fn file(&mut self, py: Python<'_>, content: Vec<u8>, at: OsString, mode: u32) -> PyResult<()> {
        self.add(py, Mount::file(content, at, mode), |mount| mount)
    }

    fn mask(&mut self, py: Python<'_>, at: OsString) -> PyResult<()> {
        self.add(py, Mount::mask(at), |mount| mount)
    }

    fn chmod(&mut self, py: Python<'_>, at: OsString, mode: u32) -> PyResult<()> {
        self.add(py, Mount::chmod(at, mode), |mount| mount)
    }

    fn read_only(&mut self, py: Python<'_>, at: OsString, flags: Flags) -> PyResult<()> {
        self.add(py, Mount::read_only_path(at), |mount| flagged(mount, flags))
    }

    fn caps(&mut self, py: Python<'_>, keep: Vec<String>) -> PyResult<()> {
        self.0.caps(keep).map(drop).map_err(|error| raise(py, error))
    }

    fn securebits(&mut self, bits: u32) {
        self.0.securebits(bits);
    }

    fn new_privs(&mut self, allowed: bool) {
        self.0.new_privs(allowed);
    }

    fn user_namespaces(&mut self, allowed: bool) {
        self.0.user_namespaces(allowed);
    }

    fn rlimit(&mut self, py: Python<'_>, name: &str, soft: u64, hard: u64) -> PyResult<()> {
        self.0.rlimit(name, soft, hard).map(drop).map_err(|error| raise(py, error))
    }

    fn nice(&mut self, py: Python<'_>, nice: i32) -> PyResult<()> {
        self.0.nice(nice).map(drop).map_err(|error| raise(py, error))
    }

    fn oom_score_adj(&mut self, py: Python<'_>, score: i32) -> PyResult<()> {
        self.0.oom_score_adj(score).map(drop).map_err(|error| raise(py, error))
    }

    fn cpus(&mut self, py: Python<'_>, cpus: Vec<usize>) -> PyResult<()> {
        self.0.cpus(&cpus).map(drop).map_err(|error| raise(py, error))
    }

    fn umask(&mut self, py: Python<'_>, mask: u32) -> PyResult<()> {
        self.0.umask(mask).map(drop).map_err(|error| raise(py, error))
    }

    fn personality(&mut self, personality: u32) {
        self.0.personality(personality);
    }

    /// Sets Landlock rules. The access to a path is made of the letters "r", "x" and "w". None
    /// leaves the ports unrestricted.
    #[allow(clippy::too_many_arguments)]
    fn landlock(
        &mut self,
        py: Python<'_>,
        paths: Vec<(OsString, String)>,
        bind: Option<Vec<u16>>,
        connect: Option<Vec<u16>>,
        scoped: bool,
        best_effort: bool,
        as_mounted: bool,
    ) -> PyResult<()> {
        let mut rules = Landlock::new();
        for (path, access) in paths {
            for letter in access.chars() {
                rules = match letter {
                    'r' => rules.read(&path),
                    'x' => rules.execute(&path),
                    _ => rules.write(&path),
                }
                .map_err(|error| raise(py, error))?;
            }
        }
        rules = bind.map_or(rules.clone(), |ports| rules.bind_tcp(&ports));
        rules = connect.map_or(rules.clone(), |ports| rules.connect_tcp(&ports));
        rules = if scoped { rules.scoped() } else { rules };
        rules = if as_mounted { rules.as_mounted() } else { rules };
        self.0.landlock(if best_effort { rules.best_effort() } else { rules });
        Ok(())
    }

    fn seccomp_untrusted(&mut self) {
        self.0.seccomp(Seccomp::untrusted());
    }

    fn seccomp_deny(&mut self, py: Python<'_>, calls: Vec<String>, name: &str, errno: i32) -> PyResult<()> {
        let filter = Seccomp::deny(calls, action(name, errno)?).map_err(|error| raise(py, error))?;
        self.0.seccomp(filter);
        Ok(())
    }

    fn seccomp_allow(&mut self, py: Python<'_>, calls: Vec<String>, name: &str, errno: i32) -> PyResult<()> {
        let filter = Seccomp::allow(calls, action(name, errno)?).map_err(|error| raise(py, error))?;
        self.0.seccomp(filter);
        Ok(())
    }

    fn seccomp_notify(&mut self, py: Python<'_>, calls: Vec<String>) -> PyResult<()> {
        self.0.seccomp_notify(calls).map(drop).map_err(|error| raise(py, error))
    }

    fn init(&mut self, on: bool) {
        self.0.init(on);
    }

    fn wait_for_all(&mut self, on: bool) {
        self.0.wait_for_all(on);
    }

    fn die_with_parent(&mut self, on: bool) {
        self.0.die_with_parent(on);
    }

    fn deadline(&mut self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let after = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
        self.0.deadline(after).map(drop).map_err(|error| raise(py, error))
    }

    fn pty(&mut self, rows: u16, columns: u16) {
        self.0.pty(rows, columns);
    }

    fn sandbox(&mut self, py: Python<'_>) -> PyResult<()> {
        self.0.sandbox().map(drop).map_err(|error| raise(py, error))
    }

    fn share(&mut self, name: &str) -> PyResult<()> {
        self.0.share(list::kind(name)?);
        Ok(())
    }

    fn landlock_off(&mut self) {
        self.0.landlock(None);
    }

    fn seccomp_off(&mut self) {
        self.0.seccomp(None);
    }
}
