//! Converts a `nsiso::Listing`: each namespace becomes a dict.

use nsiso::{Holder, Kinds, Namespace, Query, Scope};
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::enter::{borrowed, kind};
use crate::raise;

/// A snapshot. It never changes, so many threads can read it at a time.
#[pyclass(module = "nsiso._nsiso", frozen)]
pub(crate) struct Listing(nsiso::Listing);

/// Takes a snapshot of `kinds`, or of all kinds, found through the places in `scope`.
#[pyfunction]
pub(crate) fn list(
    py: Python<'_>,
    kinds: Option<Vec<String>>,
    scope: Vec<String>,
    own: bool,
) -> PyResult<Listing> {
    let mut query = Query::new();
    if let Some(names) = kinds {
        query = query.kinds(names.iter().map(|name| kind(name)).collect::<PyResult<Kinds>>()?);
    }
    let places = scope.iter().map(|name| {
        let place = Scope::from_name(&name.to_uppercase());
        place.ok_or_else(|| PyValueError::new_err(format!("{name:?} is no place to look at")))
    });
    query = query.scope(places.collect::<PyResult<Scope>>()?);
    if own {
        query = query.own();
    }
    py.detach(|| query.list()).map(Listing).map_err(|error| raise(py, error))
}

#[pymethods]
impl Listing {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Returns everything that `nsiso list --json` prints.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize(py, &self.0)?)
    }

    /// Returns the attributes of namespace number `index`.
    fn record<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize(py, &self.get(index)?)?)
    }

    fn processes(&self, index: usize) -> PyResult<Vec<i32>> {
        Ok(self.get(index)?.processes().to_vec())
    }

    /// Returns what holds it besides processes:
    /// (how, pid, tid, fd, inode of the mount namespace, path).
    #[allow(clippy::type_complexity)]
    fn holders(
        &self,
        index: usize,
    ) -> PyResult<Vec<(&'static str, i32, Option<i32>, Option<i32>, Option<u64>, Option<std::ffi::OsString>)>>
    {
        let row = |holder: &Holder| match holder {
            Holder::Thread { pid, tid } => ("thread", *pid, Some(*tid), None, None, None),
            Holder::PidForChildren { pid, tid } => ("pid_for_children", *pid, Some(*tid), None, None, None),
            Holder::TimeForChildren { pid, tid } => ("time_for_children", *pid, Some(*tid), None, None, None),
            Holder::Descriptor { pid, fd } => ("descriptor", *pid, None, Some(*fd), None, None),
            Holder::Socket { pid, fd } => ("socket", *pid, None, Some(*fd), None, None),
            Holder::Mount { pid, mount_namespace, path } => {
                let path = std::os::unix::ffi::OsStringExt::from_vec(path.to_bytes().to_vec());
                ("mount", *pid, None, None, Some(*mount_namespace), Some(path))
            }
        };
        Ok(self.get(index)?.holders().map(row).collect())
    }

    fn find_inode(&self, inode: u64) -> Option<usize> {
        self.0.find_inode(inode)?.index()
    }

    fn find_fd(&self, py: Python<'_>, fd: i32) -> PyResult<Option<usize>> {
        let found = self.0.find_fd(borrowed(fd)?).map_err(|error| raise(py, error))?;
        Ok(found.and_then(|namespace| namespace.index()))
    }

    fn find_path(&self, py: Python<'_>, path: std::path::PathBuf) -> PyResult<Option<usize>> {
        let found = self.0.find_path(path).map_err(|error| raise(py, error))?;
        Ok(found.and_then(|namespace| namespace.index()))
    }

    fn find_process(&self, pid: i32, name: &str) -> PyResult<Option<usize>> {
        Ok(self.0.find_process(pid, kind(name)?).and_then(|namespace| namespace.index()))
    }

    fn gaps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize(py, &self.0.gaps())?)
    }
}

impl Listing {
    fn get(&self, index: usize) -> PyResult<Namespace<'_>> {
        self.0.get(index).ok_or_else(|| PyIndexError::new_err("listing index out of range"))
    }
}
