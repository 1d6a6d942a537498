//! Functions for links and sockets in network namespaces. A namespace is given by the number of its
//! descriptor, and -1 is the caller's own.

use std::os::fd::{BorrowedFd, IntoRawFd};

use nsiso::Endpoint;
use nsiso::document::EndpointOption;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::depythonize;

use crate::enter::borrowed;
use crate::raise;

/// Reads an endpoint from a part of a spec document. The Python code keeps the descriptor of its
/// namespace open.
fn endpoint(py: Python<'_>, document: &Bound<'_, PyDict>) -> PyResult<Endpoint<'static>> {
    let option = EndpointOption::from_value(&depythonize(document)?);
    let endpoint = option.and_then(|option| option.endpoint());
    endpoint.map_err(|error| raise(py, error))
}

fn here(network: i32) -> PyResult<Option<BorrowedFd<'static>>> {
    if network == -1 { Ok(None) } else { borrowed(network).map(Some) }
}

#[pyfunction]
pub(crate) fn link(py: Python<'_>, a: Bound<'_, PyDict>, b: Bound<'_, PyDict>) -> PyResult<[String; 2]> {
    let (a, b) = (endpoint(py, &a)?, endpoint(py, &b)?);
    py.detach(|| nsiso::link(&a, &b)).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn bridge(py: Python<'_>, network: i32, name: &str) -> PyResult<()> {
    let network = here(network)?;
    py.detach(|| nsiso::bridge(network, name)).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn move_device(py: Python<'_>, network: i32, device: &str, to: Bound<'_, PyDict>) -> PyResult<()> {
    let (network, to) = (here(network)?, endpoint(py, &to)?);
    py.detach(|| nsiso::move_device(network, device, &to)).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn remove_device(py: Python<'_>, network: i32, name: &str) -> PyResult<()> {
    let network = here(network)?;
    py.detach(|| nsiso::remove_device(network, name)).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn forward(py: Python<'_>, network: i32, on: bool) -> PyResult<()> {
    let network = borrowed(network)?;
    py.detach(|| nsiso::forward(network, on)).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn socket(py: Python<'_>, network: i32, domain: i32, kind: i32, protocol: i32) -> PyResult<i32> {
    let network = borrowed(network)?;
    let made = py.detach(|| nsiso::socket(network, domain, kind, protocol));
    made.map(IntoRawFd::into_raw_fd).map_err(|error| raise(py, error))
}
