//! The cgroup created for a program, `cgroups(7)`: its limits, usage and removal, in version 2 and,
//! for each controller that is mounted there, in version 1.

mod controllers;
mod files;
mod group;
mod hierarchy;
mod owner;
mod pressure;
mod sweep;
mod tree;
mod usage;

pub(crate) use group::{Group, can_be_made};
pub use pressure::{Pressure, Stall};
pub use usage::Resources;
