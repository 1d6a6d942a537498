//! Functions for links and sockets in network namespaces. A namespace is given by the number of its
//! descriptor, and -1 is the caller's own.

use std::net::IpAddr;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use nsiso::{Kinds, Uplink};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::enter::borrowed;
use crate::list::kind;
use crate::{Spec, raise};

/// A `nsiso::Endpoint`. The Python code keeps the descriptor of its namespace open.
#[pyclass(module = "nsiso._nsiso", from_py_object)]
#[derive(Clone)]
pub(crate) struct Endpoint(nsiso::Endpoint<'static>);

impl Endpoint {
    fn change(
        &mut self,
        py: Python<'_>,
        set: impl FnOnce(nsiso::Endpoint<'static>) -> nsiso::Result<nsiso::Endpoint<'static>>,
    ) -> PyResult<()> {
        self.0 = set(self.0.clone()).map_err(|error| raise(py, error))?;
        Ok(())
    }
}

#[pymethods]
impl Endpoint {
    #[new]
    fn new(network: i32) -> PyResult<Self> {
        let endpoint = nsiso::Endpoint::new();
        Ok(Endpoint(match here(network)? {
            Some(network) => endpoint.netns(network),
            None => endpoint,
        }))
    }

    fn name(&mut self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.name(name))
    }

    fn mac(&mut self, py: Python<'_>, mac: &str) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.mac(mac))
    }

    fn mtu(&mut self, py: Python<'_>, bytes: u32) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.mtu(bytes))
    }

    fn address(&mut self, py: Python<'_>, address: &str) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.address(address))
    }

    #[pyo3(signature = (to, via=None))]
    fn route(&mut self, py: Python<'_>, to: &str, via: Option<&str>) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.route(to, via))
    }

    fn gateway(&mut self, py: Python<'_>, via: &str) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.gateway(via))
    }

    fn port_of(&mut self, py: Python<'_>, bridge: &str) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.port_of(bridge))
    }

    fn delay(&mut self, py: Python<'_>, delay: f64, jitter: f64) -> PyResult<()> {
        let seconds = |seconds: f64| {
            Duration::try_from_secs_f64(seconds)
                .map_err(|_| PyValueError::new_err(format!("a delay of {seconds} seconds cannot be")))
        };
        let (delay, jitter) = (seconds(delay)?, seconds(jitter)?);
        self.change(py, |endpoint| endpoint.delay(delay, jitter))
    }

    fn loss(&mut self, py: Python<'_>, part: f64) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.loss(part))
    }

    fn rate(&mut self, py: Python<'_>, bits_per_second: u64) -> PyResult<()> {
        self.change(py, |endpoint| endpoint.rate(bits_per_second))
    }
}

fn here(network: i32) -> PyResult<Option<BorrowedFd<'static>>> {
    if network == -1 { Ok(None) } else { borrowed(network).map(Some) }
}

#[pyfunction]
pub(crate) fn link(py: Python<'_>, a: Endpoint, b: Endpoint) -> PyResult<[String; 2]> {
    py.detach(|| nsiso::link(&a.0, &b.0)).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn bridge(py: Python<'_>, network: i32, name: &str) -> PyResult<()> {
    nsiso::bridge(here(network)?, name).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn move_device(py: Python<'_>, network: i32, device: &str, to: Endpoint) -> PyResult<()> {
    nsiso::move_device(here(network)?, device, &to.0).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn remove_device(py: Python<'_>, network: i32, name: &str) -> PyResult<()> {
    nsiso::remove_device(here(network)?, name).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn forward(py: Python<'_>, network: i32, on: bool) -> PyResult<()> {
    nsiso::forward(borrowed(network)?, on).map_err(|error| raise(py, error))
}

#[pyfunction]
pub(crate) fn socket(py: Python<'_>, network: i32, domain: i32, kind: i32, protocol: i32) -> PyResult<i32> {
    let made = nsiso::socket(borrowed(network)?, domain, kind, protocol);
    made.map(IntoRawFd::into_raw_fd).map_err(|error| raise(py, error))
}

#[pymethods]
impl Spec {
    /// Makes namespaces of these kinds and returns (name of the kind, descriptor) for each.
    fn hold(&self, py: Python<'_>, names: Vec<String>) -> PyResult<Vec<(String, i32)>> {
        let kinds = names.iter().map(|name| kind(name)).collect::<PyResult<Kinds>>()?;
        let held = py.detach(|| self.0.hold(kinds)).map_err(|error| raise(py, error))?;
        let named = |handle: nsiso::Handle| {
            (handle.kind().to_string(), IntoRawFd::into_raw_fd(OwnedFd::from(handle)))
        };
        Ok(held.into_iter().map(named).collect())
    }

    fn link(&mut self, inside: Endpoint, outside: Endpoint) {
        self.0.link(inside.0, outside.0);
    }

    fn device(&mut self, py: Python<'_>, device: &str, inside: Endpoint) -> PyResult<()> {
        self.0.device(device, inside.0).map(drop).map_err(|error| raise(py, error))
    }

    fn uplink(
        &mut self,
        py: Python<'_>,
        tcp: Vec<(u16, u16)>,
        udp: Vec<(u16, u16)>,
        listen: IpAddr,
    ) -> PyResult<()> {
        let mut uplink = Ok(Uplink::new().listen(listen));
        for (outside, inside) in tcp {
            uplink = uplink.and_then(|uplink| uplink.tcp(outside, inside));
        }
        for (outside, inside) in udp {
            uplink = uplink.and_then(|uplink| uplink.udp(outside, inside));
        }
        self.0.uplink(uplink.map_err(|error| raise(py, error))?);
        Ok(())
    }
}
