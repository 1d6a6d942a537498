//! A control group of the program's own, `cgroups(7)`: in version 2 and, controller by controller, in version 1.

mod controllers;
mod files;
mod group;
mod hierarchy;
mod owner;
mod pressure;
mod sweep;
mod tree;
mod usage;

pub(crate) use group::Group;
pub use pressure::{Pressure, Stall};
pub use usage::Resources;
