//! Limits of a running program, and what its cgroup uses.

use nsiso::document::LimitsOption;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::{depythonize, pythonize};

use crate::{Process, raise};

#[pymethods]
impl Process {
    fn resources<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let resources = py.detach(|| self.process.resources()).map_err(|error| raise(py, error))?;
        Ok(pythonize(py, &resources)?)
    }

    /// Changes limits, given as the option `limits` of a spec document.
    fn set_limits(&self, py: Python<'_>, document: Bound<'_, PyDict>) -> PyResult<()> {
        let limits = LimitsOption::from_value(&depythonize(&document)?).and_then(|option| option.limits());
        limits.and_then(|limits| self.process.set_limits(&limits)).map_err(|error| raise(py, error))
    }

    fn freeze(&self, py: Python<'_>, frozen: bool) -> PyResult<()> {
        py.detach(|| self.process.freeze(frozen)).map_err(|error| raise(py, error))
    }

    fn kill_group(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.process.kill_group()).map_err(|error| raise(py, error))
    }
}
