//! Converts resource limits, given as a list of names and values, and the usage of a cgroup.

use nsiso::{Io, Limits};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pythonize::pythonize;

use crate::{Process, Spec, raise};

#[derive(FromPyObject)]
pub(crate) enum Value {
    Number(u64),
    Share(f64),
    Text(String),
    Io(String, Option<u64>, Option<u64>, Option<u64>, Option<u64>),
    HugePages(String, u64),
}

fn limits(py: Python<'_>, options: Vec<(String, Value)>) -> PyResult<Limits> {
    let mut limits = Limits::new();
    for (name, value) in options {
        let changed = match (name.as_str(), value) {
            ("memory", Value::Number(bytes)) => Ok(limits.memory(bytes)),
            ("memory_high", Value::Number(bytes)) => Ok(limits.memory_high(bytes)),
            ("memory_low", Value::Number(bytes)) => Ok(limits.memory_low(bytes)),
            ("swap", Value::Number(bytes)) => Ok(limits.swap(bytes)),
            ("pids", Value::Number(count)) => Ok(limits.pids(count)),
            ("cpu_weight", Value::Number(weight)) => limits.cpu_weight(weight),
            ("cpu", Value::Number(processors)) => limits.cpu(processors as f64),
            ("cpu", Value::Share(processors)) => limits.cpu(processors),
            ("cpus", Value::Text(list)) => limits.cpus(&list),
            ("io", Value::Io(device, rbps, wbps, riops, wiops)) => {
                limits.io(device, Io { rbps, wbps, riops, wiops })
            }
            ("huge_pages", Value::HugePages(size, bytes)) => limits.huge_pages(&size, bytes),
            _ => return Err(PyValueError::new_err(format!("{name} cannot be limited in this way"))),
        };
        limits = changed.map_err(|error| raise(py, error))?;
    }
    Ok(limits)
}

#[pymethods]
impl Spec {
    fn limits(&mut self, py: Python<'_>, options: Vec<(String, Value)>) -> PyResult<()> {
        let limits = limits(py, options)?;
        self.0.limits(limits);
        Ok(())
    }

    fn cgroup_parent(&mut self, py: Python<'_>, path: std::path::PathBuf) -> PyResult<()> {
        self.0.cgroup_parent(path).map(drop).map_err(|error| raise(py, error))
    }
}

#[pymethods]
impl Process {
    fn resources<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let resources = py.detach(|| self.process.resources()).map_err(|error| raise(py, error))?;
        Ok(pythonize(py, &resources)?)
    }

    fn set_limits(&self, py: Python<'_>, options: Vec<(String, Value)>) -> PyResult<()> {
        let limits = limits(py, options)?;
        self.process.set_limits(&limits).map_err(|error| raise(py, error))
    }

    fn freeze(&self, py: Python<'_>, frozen: bool) -> PyResult<()> {
        py.detach(|| self.process.freeze(frozen)).map_err(|error| raise(py, error))
    }

    fn kill_group(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.process.kill_group()).map_err(|error| raise(py, error))
    }
}
