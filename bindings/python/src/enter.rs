//! Functions that open, identify and enter existing namespaces. Python gets descriptors as numbers
//! and owns them.

use std::ffi::OsString;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};

use nsiso::{Handle, Kinds};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::raise;

pub(crate) fn borrowed(fd: i32) -> PyResult<BorrowedFd<'static>> {
    if fd < 0 {
        return Err(PyValueError::new_err(format!("{fd} is no file descriptor")));
    }
    // SAFETY: the Python code keeps the descriptor open. A closed one makes the call fail.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

fn raw_fd(py: Python<'_>, opened: nsiso::Result<Handle>) -> PyResult<i32> {
    opened.map(|handle| OwnedFd::from(handle).into_raw_fd()).map_err(|error| raise(py, error))
}

/// Returns a kind, given by its name below /proc/PID/ns.
pub(crate) fn kind(name: &str) -> PyResult<Kinds> {
    Kinds::from_name_in_proc(name)
        .ok_or_else(|| PyValueError::new_err(format!("{name:?} is no kind of namespace")))
}

#[pyfunction]
pub(crate) fn open_path(py: Python<'_>, path: OsString) -> PyResult<i32> {
    raw_fd(py, Handle::open(path))
}

#[pyfunction]
pub(crate) fn open_name(py: Python<'_>, name: OsString) -> PyResult<i32> {
    raw_fd(py, Handle::named(name))
}

#[pyfunction]
pub(crate) fn open_own(py: Python<'_>, name: &str) -> PyResult<i32> {
    raw_fd(py, Handle::own(kind(name)?))
}

#[pyfunction]
pub(crate) fn pidfd(py: Python<'_>, pid: i32, inode: Option<u64>) -> PyResult<i32> {
    nsiso::open_process(pid, inode).map(IntoRawFd::into_raw_fd).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn open_process(py: Python<'_>, pidfd: i32, name: &str) -> PyResult<i32> {
    raw_fd(py, Handle::of_process(borrowed(pidfd)?, kind(name)?))
}

#[pyfunction]
pub(crate) fn open_for_children(py: Python<'_>, pidfd: i32, name: &str) -> PyResult<i32> {
    raw_fd(py, Handle::for_children(borrowed(pidfd)?, kind(name)?))
}

#[pyfunction]
pub(crate) fn open_socket(py: Python<'_>, socket: i32) -> PyResult<i32> {
    raw_fd(py, Handle::of_socket(borrowed(socket)?))
}

fn handle(py: Python<'_>, fd: i32) -> PyResult<Handle> {
    Handle::of_fd(borrowed(fd)?).map_err(|error| raise(py, error))
}

/// Returns the kind, the inode, the id and the uid of the owner of the namespace `fd`.
#[pyfunction]
pub(crate) fn identify(py: Python<'_>, fd: i32) -> PyResult<(String, u64, Option<u64>, Option<u32>)> {
    let handle = handle(py, fd)?;
    Ok((handle.kind().to_string(), handle.inode(), handle.id(), handle.owner_uid()))
}

/// Opens the owner or the parent of the namespace `fd`. None if it is not visible.
#[pyfunction]
pub(crate) fn relative(py: Python<'_>, fd: i32, owner: bool) -> PyResult<Option<i32>> {
    let handle = handle(py, fd)?;
    let found = if owner { handle.owner() } else { handle.parent() };
    found.transpose().map(|found| raw_fd(py, found)).transpose()
}

#[pyfunction]
pub(crate) fn pin(py: Python<'_>, fd: i32, path: OsString) -> PyResult<()> {
    nsiso::pin(borrowed(fd)?, path).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn unpin(py: Python<'_>, path: OsString) -> PyResult<()> {
    nsiso::unpin(path).map_err(|error| raise(py, error))
}

/// The state of a thread that has entered namespaces. `leave` takes it back to its own.
#[pyclass(module = "nsiso._nsiso", unsendable)]
pub(crate) struct Entered(Option<nsiso::Entered>);

#[pymethods]
impl Entered {
    fn leave(&mut self, py: Python<'_>) -> PyResult<()> {
        let entered = self.0.take().ok_or_else(|| PyRuntimeError::new_err("the thread has left already"))?;
        entered.leave().map_err(|error| raise(py, error))
    }
}

fn all_borrowed(fds: Vec<i32>) -> PyResult<Vec<BorrowedFd<'static>>> {
    fds.into_iter().map(borrowed).collect()
}

#[pyfunction]
pub(crate) fn enter(py: Python<'_>, fds: Vec<i32>) -> PyResult<Entered> {
    nsiso::enter(&all_borrowed(fds)?).map(|entered| Entered(Some(entered))).map_err(|error| raise(py, error))
}

/// Calls `function` without arguments on a new thread in the namespaces `fds`.
#[pyfunction]
pub(crate) fn call(py: Python<'_>, fds: Vec<i32>, function: Py<PyAny>) -> PyResult<Py<PyAny>> {
    let fds = all_borrowed(fds)?;
    let result = py.detach(|| nsiso::call(&fds, || Python::attach(|py| function.call0(py))));
    result.map_err(|error| raise(py, error))?
}

#[pyfunction]
pub(crate) fn probe(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    Ok(pythonize(py, &py.detach(nsiso::probe))?)
}

#[pyfunction]
pub(crate) fn unshare(py: Python<'_>, names: Vec<String>, map_root: bool) -> PyResult<()> {
    let kinds = names.iter().map(|name| kind(name)).collect::<PyResult<Kinds>>()?;
    nsiso::unshare(kinds, map_root).map_err(|error| raise(py, error))
}
