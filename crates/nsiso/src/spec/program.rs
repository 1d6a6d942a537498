//! The options of the program itself: its file, arguments, environment, working directory,
//! descriptors, terminal and signals.

use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use super::stdio::{MAX_DESCRIPTOR, Source};
use super::{Environment, Spec, Stdio, Task, path_text, text};
use crate::{Error, Result};

/// What is executed, and the state that it starts with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program<'fd> {
    pub path: CString,
    pub argv: Vec<CString>,
    pub environment: Environment,
    pub cwd: Option<CString>,
    pub cwd_at: Option<BorrowedFd<'fd>>,
    pub descriptors: Vec<(i32, Source<'fd>)>,
    pub new_session: bool,
    /// The rows and columns of its terminal.
    pub pty: Option<(u16, u16)>,
    /// Set signals that the caller ignores to their default action.
    pub reset_signals: bool,
    pub umask: Option<u32>,
    pub personality: Option<u32>,
    /// What the child does in place of running a program.
    pub task: Option<Task>,
}

impl Program<'_> {
    pub fn new(name: &OsStr) -> Result<Self> {
        let path = program_text(name)?;
        Ok(Program { argv: vec![path.clone()], path, ..Program::default() })
    }
}

impl<'fd> Spec<'fd> {
    /// Sets the file to execute; `argv[0]` stays as it is.
    ///
    /// A name without a slash is searched for in the `PATH` of the program's environment. EINVAL:
    /// the name is empty or has a NUL byte in it.
    pub fn program(&mut self, program: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.path = program_text(program.as_ref())?;
        Ok(self)
    }

    /// Replaces the program and all its arguments.
    ///
    /// The first element is both the file to execute and `argv[0]`. EINVAL: `argv` or its first
    /// element is empty, or an element has a NUL byte in it.
    pub fn argv<A: AsRef<OsStr>>(&mut self, argv: impl IntoIterator<Item = A>) -> Result<&mut Self> {
        let argv: Vec<_> =
            argv.into_iter().map(|arg| text("argument", arg.as_ref())).collect::<Result<_>>()?;
        let program =
            argv.first().ok_or_else(|| Error::argument("argv is empty: it begins with the program"))?;
        self.program.path = program_text(OsStr::from_bytes(program.to_bytes()))?;
        self.program.argv = argv;
        Ok(self)
    }

    /// Adds one argument.
    ///
    /// EINVAL: it has a NUL byte in it.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.argv.push(text("argument", arg.as_ref())?);
        Ok(self)
    }

    /// Adds arguments.
    ///
    /// EINVAL: one of them has a NUL byte in it; those before it have been added.
    pub fn args<A: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = A>) -> Result<&mut Self> {
        for arg in args {
            self.arg(arg)?;
        }
        Ok(self)
    }

    /// Sets `argv[0]`, which the program sees as its own name.
    ///
    /// Default: the name that [`Spec::new`] or [`Spec::argv`] got. EINVAL: it has a NUL byte in it.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.argv[0] = text("argv[0]", name.as_ref())?;
        Ok(self)
    }

    /// Starts the program with an empty environment.
    ///
    /// Earlier calls of [`Spec::env`] and [`Spec::env_unset`] are forgotten, later ones apply. By
    /// default the program gets the caller's environment at the time of the spawn.
    pub fn env_clear(&mut self) -> &mut Self {
        self.program.environment.clear();
        self
    }

    /// Sets one environment variable.
    ///
    /// EINVAL: the name is empty or has `=` in it, or the name or the value has a NUL byte in it.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.environment.set(name.as_ref(), value.as_ref())?;
        Ok(self)
    }

    /// Removes one environment variable.
    ///
    /// EINVAL: the name is empty, or has `=` or a NUL byte in it.
    pub fn env_unset(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.environment.unset(name.as_ref())?;
        Ok(self)
    }

    /// Sets the working directory, as a path that the program sees.
    ///
    /// Default: the caller's. A relative path of the program is searched for in it. With
    /// [`Spec::mount`] the default is the directory at the caller's path in the new view if there
    /// is one, else `/`. EINVAL: the path is empty or has a NUL byte in it. ENOENT or EACCES at the
    /// spawn: the directory does not exist, or may not be entered.
    pub fn cwd(&mut self, path: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.cwd = Some(path_text("working directory", path.as_ref())?);
        Ok(self)
    }

    /// Sets the working directory, as a descriptor of a directory.
    ///
    /// It is entered after [`Spec::root_at`] and may lie outside of that root. EBADF at the spawn:
    /// the descriptor is not open.
    pub fn cwd_at(&mut self, directory: BorrowedFd<'fd>) -> &mut Self {
        self.program.cwd_at = Some(directory);
        self
    }

    /// Sets what the program's descriptor 0, 1 or 2 is.
    ///
    /// Default: [`Stdio::Inherit`], the caller's own. EINVAL: `child_fd` is not 0, 1 or 2. A later
    /// [`Spec::stdio`] or [`Spec::fd`] for the same number replaces this one.
    pub fn stdio(&mut self, child_fd: i32, stdio: Stdio) -> Result<&mut Self> {
        if !(0..=2).contains(&child_fd) {
            return Err(Error::argument(format!(
                "descriptor {child_fd} is not a standard one: 0 (input), 1 (output) or 2 (error)"
            )));
        }
        self.set_descriptor(child_fd, Source::Stdio(stdio));
        Ok(self)
    }

    /// Passes the descriptor `fd` to the program, as the number `child_fd`.
    ///
    /// In the program all descriptors are closed that are neither passed nor standard ones. EINVAL:
    /// `child_fd` is not in the range 0 to 2^20. EBADF at the spawn: `fd` is not open. EMFILE at
    /// the spawn: `child_fd` is not below the limit RLIMIT_NOFILE.
    pub fn fd(&mut self, child_fd: i32, fd: BorrowedFd<'fd>) -> Result<&mut Self> {
        if !(0..=MAX_DESCRIPTOR).contains(&child_fd) {
            return Err(Error::argument(format!(
                "descriptor number {child_fd} is not in the range 0 to {MAX_DESCRIPTOR}"
            )));
        }
        self.set_descriptor(child_fd, Source::Borrowed(fd));
        Ok(self)
    }

    /// Runs the program in a new session, without a controlling terminal, `setsid(2)`.
    pub fn new_session(&mut self) -> &mut Self {
        self.program.new_session = true;
        self
    }

    /// Gives the program a new pseudo-terminal with this many rows and columns, `pty(7)`.
    ///
    /// It is the program's controlling terminal, and its descriptors 0, 1 and 2, unless
    /// [`Spec::stdio`] or [`Spec::fd`] sets these. Implies [`Spec::new_session`].
    /// [`Process::take_pty`](crate::Process::take_pty) returns the caller's end. Thus a shell
    /// inside has job control, and no program inside can push input into the caller's terminal.
    ///
    /// ENOENT at the spawn: `/dev/ptmx` is missing. ENOSPC at the spawn: the limit
    /// `/proc/sys/kernel/pty/max` is reached.
    pub fn pty(&mut self, rows: u16, columns: u16) -> &mut Self {
        self.program.pty = Some((rows, columns));
        self.new_session()
    }

    /// Sets every signal to its default action in the program, also those that the caller ignores.
    ///
    /// By default the program ignores what the caller ignores, as after `execve(2)`, so that
    /// `nohup(1)` works; but SIGPIPE and SIGXFSZ are always set to their default action.
    /// [`Spec::sandbox`] sets this option.
    pub fn reset_signals(&mut self) -> &mut Self {
        self.program.reset_signals = true;
        self
    }

    /// Sets the file mode creation mask: the permissions that new files do not get, `umask(2)`.
    ///
    /// Default: the caller's. EINVAL: the mask is above 0777.
    pub fn umask(&mut self, mask: u32) -> Result<&mut Self> {
        if mask > 0o777 {
            return Err(Error::argument(format!("{mask:#o} is no umask: it is at most 0777")));
        }
        self.program.umask = Some(mask);
        Ok(self)
    }

    /// Sets the execution domain of the program, `personality(2)`.
    pub fn personality(&mut self, personality: u32) -> &mut Self {
        self.program.personality = Some(personality);
        self
    }

    fn set_descriptor(&mut self, child_fd: i32, source: Source<'fd>) {
        self.program.descriptors.retain(|(number, _)| *number != child_fd);
        self.program.descriptors.push((child_fd, source));
    }
}

fn program_text(program: &OsStr) -> Result<CString> {
    if program.is_empty() {
        return Err(Error::argument("the program's name is empty"));
    }
    text("program", program)
}
