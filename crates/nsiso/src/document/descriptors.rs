//! Descriptors in a spec document: numbers of the caller's.

use std::os::fd::RawFd;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, OneOrMany, descriptor};
use crate::{Kinds, Result, Spec, Stdio};

/// Where a descriptor of the program leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged, expecting = "a descriptor of the caller's, \"inherit\", \"null\" or \"pipe\"")]
pub enum FdSource {
    /// A descriptor of the caller's.
    Fd(RawFd),
    /// What a standard descriptor may be otherwise.
    Word(StdioWord),
}

/// What a standard descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StdioWord {
    /// The caller's descriptor of the same number.
    Inherit,
    /// /dev/null.
    Null,
    /// A pipe, whose other end the caller takes.
    Pipe,
}

impl FdSource {
    pub(super) fn put(self, number: i32, spec: &mut Spec<'static>) -> Result<()> {
        match self {
            FdSource::Fd(fd) => spec.fd(number, descriptor(fd)?),
            FdSource::Word(StdioWord::Inherit) => spec.stdio(number, Stdio::Inherit),
            FdSource::Word(StdioWord::Null) => spec.stdio(number, Stdio::Null),
            FdSource::Word(StdioWord::Pipe) => spec.stdio(number, Stdio::Pipe),
        }
        .map(drop)
    }
}

/// Namespaces to join.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(untagged, expecting = "a descriptor of a namespace, or {\"pidfd\": N, \"kinds\": [...]}")]
pub enum JoinOption {
    /// A descriptor of a namespace.
    Namespace(RawFd),
    /// Those of a process.
    Process(JoinProcess),
}

/// Namespaces of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct JoinProcess {
    /// The pidfd of the process. pidfd_open(2).
    pub pidfd: RawFd,
    /// Which of its namespaces: all by default. Those that it shares with the caller are left out.
    pub kinds: Option<OneOrMany<Kind>>,
}

impl JoinOption {
    pub(super) fn put(&self, spec: &mut Spec<'static>) -> Result<()> {
        match self {
            JoinOption::Namespace(fd) => spec.join(descriptor(*fd)?),
            JoinOption::Process(JoinProcess { pidfd, kinds }) => {
                let kinds = match kinds {
                    None => Kinds::all(),
                    Some(kinds) => kinds.items().iter().map(|kind| Kinds::from(*kind)).collect(),
                };
                spec.join_process(descriptor(*pidfd)?, kinds)
            }
        }
        .map(drop)
    }
}
