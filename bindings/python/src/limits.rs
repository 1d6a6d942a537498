//! Limits of a running program, and what its cgroup uses.

use nsiso::document::LimitsOption;
use nsiso::{Pressure, Resources, Stall};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{Process, raise};

#[pymethods]
impl Process {
    fn resources<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let resources = py.detach(|| self.process.resources()).map_err(|error| raise(py, error))?;
        named(py, resources)
    }

    /// Changes limits, given as JSON like the option `limits` of a spec document.
    fn set_limits(&self, py: Python<'_>, json: &str) -> PyResult<()> {
        let limits = LimitsOption::from_json(json).and_then(|option| option.limits());
        limits.and_then(|limits| self.process.set_limits(&limits)).map_err(|error| raise(py, error))
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
