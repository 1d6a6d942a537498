//! The extension module of the Python package `nsiso`. It only converts arguments and results. The
//! public interface is in `python/nsiso`.

mod enter;
mod limits;
mod list;
mod net;

use std::ffi::OsString;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nsiso::Document;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::{depythonize, pythonize};

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

/// A `nsiso::Spec`. The Python code keeps the descriptors in its document open until the spawn.
#[pyclass(module = "nsiso._nsiso")]
pub(crate) struct Spec(nsiso::Spec<'static>);

#[pymethods]
impl Spec {
    /// Makes a spec with the options of a spec document.
    #[new]
    fn new(py: Python<'_>, document: Bound<'_, PyDict>) -> PyResult<Self> {
        let document = Document::from_value(&depythonize(&document)?);
        document.and_then(|document| document.spec()).map(Spec).map_err(|error| raise(py, error))
    }

    /// Sets the whole environment. A document cannot have names that are not UTF-8.
    fn env(&mut self, py: Python<'_>, variables: Vec<(OsString, OsString)>) -> PyResult<()> {
        self.0.env_clear();
        for (name, value) in variables {
            self.0.env(name, value).map_err(|error| raise(py, error))?;
        }
        Ok(())
    }

    /// The options as a spec document.
    fn document<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let document = Document::of(&self.0).map_err(|error| raise(py, error))?;
        Ok(pythonize(py, &document.to_value())?)
    }

    /// Makes the namespaces and returns (name of the kind, descriptor) for each.
    fn hold(&self, py: Python<'_>) -> PyResult<Vec<(String, i32)>> {
        let held = py.detach(|| self.0.hold(self.0.kinds())).map_err(|error| raise(py, error))?;
        let named = |handle: nsiso::Handle| (handle.kind().to_string(), OwnedFd::from(handle).into_raw_fd());
        Ok(held.into_iter().map(named).collect())
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
    use super::net::{bridge, forward, link, move_device, remove_device, socket};
    #[pymodule_export]
    use super::{Process, Spec};
}
