//! Converts resource limits, given as a list of names and values, and the usage of a cgroup.

use nsiso::{Io, Limits, Pressure, Resources, Stall};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

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
    fn resources<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let resources = py.detach(|| self.process.resources()).map_err(|error| raise(py, error))?;
        named(py, resources)
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

/// The arguments of `nsiso.Stall` in Python.
type Times = (f64, f64, f64, f64);

/// Returns the arguments of `nsiso.Pressure` in Python.
fn times(pressure: Pressure) -> (Times, Option<Times>) {
    let of = |stall: Stall| (stall.avg10, stall.avg60, stall.avg300, stall.total.as_secs_f64());
    (of(pressure.some), pressure.full.map(of))
}

/// Returns the keywords of `nsiso.Resources` in Python.
fn named(py: Python<'_>, resources: Resources) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("memory", resources.memory)?;
    dict.set_item("peak_memory", resources.peak_memory)?;
    dict.set_item("oom_kills", resources.oom_kills)?;
    dict.set_item("cpu_time", resources.cpu_time.map(|time| time.as_secs_f64()))?;
    dict.set_item("throttled_time", resources.throttled_time.map(|time| time.as_secs_f64()))?;
    dict.set_item("pids", resources.pids)?;
    dict.set_item("read_bytes", resources.read_bytes)?;
    dict.set_item("written_bytes", resources.written_bytes)?;
    dict.set_item("memory_pressure", resources.memory_pressure.map(times))?;
    dict.set_item("cpu_pressure", resources.cpu_pressure.map(times))?;
    dict.set_item("io_pressure", resources.io_pressure.map(times))?;
    Ok(dict)
}
