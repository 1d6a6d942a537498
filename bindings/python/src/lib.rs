//! The extension module of the Python package `nsiso`. It only converts arguments and results. The
//! public interface is in `python/nsiso`.

mod enter;
mod limits;
mod list;
mod net;
mod sandbox;

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nsiso::{ClockOffset, IdRange, Propagation, Stdio};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pythonize::pythonize;

/// Converts an error of the library to the exception `nsiso.Error` or a subclass of it.
pub(crate) fn raise(py: Python<'_>, error: nsiso::Error) -> PyErr {
    let make = || -> PyResult<Bound<'_, PyAny>> {
        let step = format!("{:?}", error.step());
        let index = error.index();
        py.import("nsiso._error")?.getattr("make")?.call1((
            error.errno(),
            error.message(),
            step,
            index,
            error.hint(),
        ))
    };
    make().map_or_else(|failed| failed, PyErr::from_value)
}

/// A `nsiso::Spec`. The Python code keeps its descriptors open until the spawn.
#[pyclass(module = "nsiso._nsiso")]
pub(crate) struct Spec(nsiso::Spec<'static>);

#[pymethods]
impl Spec {
    #[new]
    fn new(py: Python<'_>, argv: Vec<std::ffi::OsString>) -> PyResult<Self> {
        let mut spec = nsiso::Spec::new("sh").map_err(|error| raise(py, error))?;
        spec.argv(argv).map_err(|error| raise(py, error))?;
        Ok(Spec(spec))
    }

    fn program(&mut self, py: Python<'_>, path: std::ffi::OsString) -> PyResult<()> {
        self.0.program(path).map(drop).map_err(|error| raise(py, error))
    }

    /// Adds the options of a spec document, as JSON.
    fn document(&mut self, py: Python<'_>, json: &str) -> PyResult<()> {
        let document = nsiso::Document::from_json(json);
        document.and_then(|document| document.apply(&mut self.0)).map_err(|error| raise(py, error))
    }

    /// The options as a spec document, as JSON.
    fn to_json(&self, py: Python<'_>) -> PyResult<String> {
        nsiso::Document::of(&self.0).map(|document| document.to_json()).map_err(|error| raise(py, error))
    }

    fn env_clear(&mut self) {
        self.0.env_clear();
    }

    fn env(&mut self, py: Python<'_>, name: std::ffi::OsString, value: std::ffi::OsString) -> PyResult<()> {
        self.0.env(name, value).map(drop).map_err(|error| raise(py, error))
    }

    fn cwd(&mut self, py: Python<'_>, path: std::ffi::OsString) -> PyResult<()> {
        self.0.cwd(path).map(drop).map_err(|error| raise(py, error))
    }

    /// Adds a kind of namespace, given by its name below /proc/PID/ns.
    fn unshare(&mut self, name: &str) -> PyResult<()> {
        self.0.unshare(list::kind(name)?);
        Ok(())
    }

    fn map_root(&mut self) {
        self.0.map_root();
    }

    fn map_current(&mut self) {
        self.0.map_current();
    }

    fn map_auto(&mut self) {
        self.0.map_auto();
    }

    fn uid_map(&mut self, py: Python<'_>, inside: u32, outside: u32, count: u32) -> PyResult<()> {
        let range = IdRange::new(inside, outside, count);
        range.and_then(|range| self.0.uid_map(range).map(drop)).map_err(|error| raise(py, error))
    }

    fn gid_map(&mut self, py: Python<'_>, inside: u32, outside: u32, count: u32) -> PyResult<()> {
        let range = IdRange::new(inside, outside, count);
        range.and_then(|range| self.0.gid_map(range).map(drop)).map_err(|error| raise(py, error))
    }

    fn setgroups(&mut self, allow: bool) {
        self.0.setgroups(allow);
    }

    fn uid(&mut self, py: Python<'_>, uid: u32) -> PyResult<()> {
        self.0.uid(uid).map(drop).map_err(|error| raise(py, error))
    }

    fn gid(&mut self, py: Python<'_>, gid: u32) -> PyResult<()> {
        self.0.gid(gid).map(drop).map_err(|error| raise(py, error))
    }

    fn groups(&mut self, py: Python<'_>, gids: Vec<u32>) -> PyResult<()> {
        self.0.groups(&gids).map(drop).map_err(|error| raise(py, error))
    }

    fn keep_caps(&mut self) {
        self.0.keep_caps();
    }

    fn hostname(&mut self, py: Python<'_>, name: std::ffi::OsString) -> PyResult<()> {
        self.0.hostname(name).map(drop).map_err(|error| raise(py, error))
    }

    fn domainname(&mut self, py: Python<'_>, name: std::ffi::OsString) -> PyResult<()> {
        self.0.domainname(name).map(drop).map_err(|error| raise(py, error))
    }

    fn monotonic(&mut self, py: Python<'_>, seconds: i64, nanoseconds: u32) -> PyResult<()> {
        let offset = ClockOffset::new(seconds, nanoseconds);
        offset.and_then(|offset| self.0.monotonic(offset).map(drop)).map_err(|error| raise(py, error))
    }

    fn boottime(&mut self, py: Python<'_>, seconds: i64, nanoseconds: u32) -> PyResult<()> {
        let offset = ClockOffset::new(seconds, nanoseconds);
        offset.and_then(|offset| self.0.boottime(offset).map(drop)).map_err(|error| raise(py, error))
    }

    fn propagation(&mut self, name: &str) -> PyResult<()> {
        self.0.propagation(match name {
            "private" => Propagation::Private,
            "slave" => Propagation::Slave,
            "shared" => Propagation::Shared,
            "unchanged" => Propagation::Unchanged,
            _ => return Err(PyValueError::new_err("propagation is private, slave, shared or unchanged")),
        });
        Ok(())
    }

    fn mount_proc(&mut self, py: Python<'_>, path: std::ffi::OsString) -> PyResult<()> {
        self.0.mount_proc(path).map(drop).map_err(|error| raise(py, error))
    }

    fn loopback(&mut self, up: bool) {
        self.0.loopback(up);
    }

    fn new_session(&mut self) {
        self.0.new_session();
    }

    fn reset_signals(&mut self) {
        self.0.reset_signals();
    }

    fn null(&mut self, py: Python<'_>, child_fd: i32) -> PyResult<()> {
        self.0.stdio(child_fd, Stdio::Null).map(drop).map_err(|error| raise(py, error))
    }

    fn fd(&mut self, py: Python<'_>, child_fd: i32, fd: i32) -> PyResult<()> {
        self.0.fd(child_fd, enter::borrowed(fd)?).map(drop).map_err(|error| raise(py, error))
    }

    fn join(&mut self, py: Python<'_>, fd: i32) -> PyResult<()> {
        self.0.join(enter::borrowed(fd)?).map(drop).map_err(|error| raise(py, error))
    }

    fn join_process(&mut self, py: Python<'_>, pidfd: i32, names: Vec<String>) -> PyResult<()> {
        let kinds = names.iter().map(|name| list::kind(name)).collect::<PyResult<nsiso::Kinds>>()?;
        self.0.join_process(enter::borrowed(pidfd)?, kinds).map(drop).map_err(|error| raise(py, error))
    }

    fn sync_fds(&mut self, info: i32, block: i32) -> PyResult<()> {
        self.0.sync_fds(enter::borrowed(info)?, enter::borrowed(block)?);
        Ok(())
    }

    fn pin(&mut self, py: Python<'_>, name: &str, path: std::ffi::OsString) -> PyResult<()> {
        self.0.pin(list::kind(name)?, path).map(drop).map_err(|error| raise(py, error))
    }

    fn keep_credentials(&mut self) {
        self.0.keep_credentials();
    }

    /// Returns only if it fails.
    fn exec(&self, py: Python<'_>) -> PyResult<()> {
        let error = py.detach(|| self.0.exec());
        Err(raise(py, error))
    }

    fn spawn(&self, py: Python<'_>) -> PyResult<Process> {
        py.detach(|| self.0.spawn()).map(Process::new).map_err(|error| raise(py, error))
    }
}

/// How long one wait lasts before Python can handle its signals, such as Ctrl-C.
const SLICE: Duration = Duration::from_millis(50);

/// A `nsiso::Process`.
#[pyclass(module = "nsiso._nsiso", frozen)]
pub(crate) struct Process {
    process: nsiso::Process,
    /// None once it has been taken.
    pty: Mutex<Option<OwnedFd>>,
    notify: Mutex<Option<OwnedFd>>,
    /// Whether the process outlives this object. Until `keep` is called, an exception at any point
    /// can delete the object, and then the process must end.
    kept: AtomicBool,
}

impl Process {
    fn new(mut process: nsiso::Process) -> Self {
        let (pty, notify) = (Mutex::new(process.take_pty()), Mutex::new(process.take_notify()));
        Process { process, pty, notify, kept: AtomicBool::new(false) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if *self.kept.get_mut() || !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        let process = &self.process;
        Python::attach(|py| {
            py.detach(|| {
                // A failure cannot be reported from here.
                let _ = process.kill().and_then(|()| process.wait());
            });
        });
    }
}

#[pymethods]
impl Process {
    /// Lets the process outlive this object.
    fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    /// Closes the descriptors that have not been taken.
    fn close_ends(&self) {
        for end in [&self.pty, &self.notify] {
            drop(end.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    /// Returns the descriptor to answer system calls, at the first call. Then None.
    fn take_notify(&self) -> Option<i32> {
        self.notify.lock().unwrap_or_else(PoisonError::into_inner).take().map(IntoRawFd::into_raw_fd)
    }

    /// Returns the caller's end of the program's terminal, at the first call. Then None.
    fn take_pty(&self) -> Option<i32> {
        self.pty.lock().unwrap_or_else(PoisonError::into_inner).take().map(IntoRawFd::into_raw_fd)
    }

    #[getter]
    fn pid(&self) -> i32 {
        self.process.pid()
    }

    fn fileno(&self) -> i32 {
        self.process.pidfd().as_raw_fd()
    }

    /// Waits until the process ends, or for `timeout` seconds. None if it is still running.
    #[pyo3(signature = (timeout=None))]
    fn wait<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let timeout =
            timeout.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX));
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let slice = left.unwrap_or(SLICE).min(SLICE);
            if let Some(status) =
                py.detach(|| self.process.wait_timeout(slice)).map_err(|error| raise(py, error))?
            {
                return Ok(Some(pythonize(py, &status)?));
            }
            py.check_signals()?;
            if left.is_some_and(|left| left <= slice) {
                return Ok(None);
            }
        }
    }

    fn signal(&self, py: Python<'_>, signal: i32) -> PyResult<()> {
        self.process.signal(signal).map_err(|error| raise(py, error))
    }
}

#[pymodule]
mod _nsiso {
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use super::enter::{
        Entered, call, enter, identify, open_for_children, open_name, open_own, open_path, open_process,
        open_socket, pidfd, pin, probe, relative, unpin, unshare,
    };
    #[pymodule_export]
    use super::list::{Listing, list};
    #[pymodule_export]
    use super::net::{Endpoint, bridge, forward, link, move_device, remove_device, socket};
    #[pymodule_export]
    use super::{Process, Spec};
}
