//! The program: its file, arguments, environment, directory, descriptors and terminal.

use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;

use super::stdio::{MAX_DESCRIPTOR, Source};
use super::{Environment, Spec, Stdio, Task, path_text, text};
use crate::{Error, Result};

/// What is executed, and what it has when it begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program<'fd> {
    pub path: CString,
    pub argv: Vec<CString>,
    pub environment: Environment,
    pub cwd: Option<CString>,
    pub cwd_at: Option<BorrowedFd<'fd>>,
    pub descriptors: Vec<(i32, Source<'fd>)>,
    pub new_session: bool,
    /// Rows and columns.
    pub pty: Option<(u16, u16)>,
    /// Signals that the caller ignores are at their default in the program.
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
    /// The file to execute in place of the program's name, which stays `argv[0]`.
    pub fn program(&mut self, program: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.path = program_text(program.as_ref())?;
        Ok(self)
    }

    /// Replaces the program and all its arguments: the first is both the program and `argv[0]`.
    pub fn argv<A: AsRef<OsStr>>(&mut self, argv: impl IntoIterator<Item = A>) -> Result<&mut Self> {
        let argv: Vec<_> =
            argv.into_iter().map(|arg| text("argument", arg.as_ref())).collect::<Result<_>>()?;
        let program =
            argv.first().ok_or_else(|| Error::argument("argv is empty: it begins with the program"))?;
        self.program.path = program_text(OsStr::from_bytes(program.to_bytes()))?;
        self.program.argv = argv;
        Ok(self)
    }

    /// One more argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.argv.push(text("argument", arg.as_ref())?);
        Ok(self)
    }

    /// More arguments.
    pub fn args<A: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = A>) -> Result<&mut Self> {
        for arg in args {
            self.arg(arg)?;
        }
        Ok(self)
    }

    /// What the program sees as its own name; its name as it was given, by default.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.argv[0] = text("argv[0]", name.as_ref())?;
        Ok(self)
    }

    /// Start with an empty environment; later [`Spec::env`] add to it. The default is the
    /// caller's environment at the time of the spawn.
    pub fn env_clear(&mut self) -> &mut Self {
        self.program.environment.clear();
        self
    }

    /// Sets one environment variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.environment.set(name.as_ref(), value.as_ref())?;
        Ok(self)
    }

    /// Removes one environment variable.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.environment.unset(name.as_ref())?;
        Ok(self)
    }

    /// The working directory; the caller's by default. A relative program is looked for in it.
    pub fn cwd(&mut self, path: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program.cwd = Some(path_text("working directory", path.as_ref())?);
        Ok(self)
    }

    /// The working directory as a descriptor, entered after [`Spec::root_at`], which may leave it outside.
    pub fn cwd_at(&mut self, directory: BorrowedFd<'fd>) -> &mut Self {
        self.program.cwd_at = Some(directory);
        self
    }

    /// Where the program's descriptor 0, 1 or 2 leads to: the caller's own, by default.
    pub fn stdio(&mut self, child_fd: i32, stdio: Stdio) -> Result<&mut Self> {
        if !(0..=2).contains(&child_fd) {
            return Err(Error::argument(format!(
                "descriptor {child_fd} is not a standard one: 0 (input), 1 (output) or 2 (error)"
            )));
        }
        self.set_descriptor(child_fd, Source::Stdio(stdio));
        Ok(self)
    }

    /// Passes `fd` to the program, where its number is `child_fd`. All descriptors that are
    /// neither passed nor standard ones are closed in the program.
    pub fn fd(&mut self, child_fd: i32, fd: BorrowedFd<'fd>) -> Result<&mut Self> {
        if !(0..=MAX_DESCRIPTOR).contains(&child_fd) {
            return Err(Error::argument(format!(
                "descriptor number {child_fd} is not in the range 0 to {MAX_DESCRIPTOR}"
            )));
        }
        self.set_descriptor(child_fd, Source::Borrowed(fd));
        Ok(self)
    }

    /// Runs the program in a session of its own, `setsid(2)`.
    pub fn new_session(&mut self) -> &mut Self {
        self.program.new_session = true;
        self
    }

    /// Gives the program a terminal of its own, with this many rows and columns: a pseudo-terminal is its controlling terminal
    /// and its descriptors 0, 1 and 2, unless these are given. The other end is taken by
    /// [`Process::take_pty`](crate::Process::take_pty). So a shell inside has job control, and nobody can push
    /// input into the host's terminal. `pty(7)`.
    pub fn pty(&mut self, rows: u16, columns: u16) -> &mut Self {
        self.program.pty = Some((rows, columns));
        self.new_session()
    }

    /// Every signal is at its default in the program, also those that the caller ignores. Without
    /// it the program ignores what the caller ignores, as after `execve(2)`, so that `nohup` works;
    /// but SIGPIPE and SIGXFSZ are at their default. [`Spec::sandbox`] brings it.
    pub fn reset_signals(&mut self) -> &mut Self {
        self.program.reset_signals = true;
        self
    }

    /// The permissions that new files do not get, `umask(2)`.
    pub fn umask(&mut self, mask: u32) -> Result<&mut Self> {
        if mask > 0o777 {
            return Err(Error::argument(format!("{mask:#o} is no umask: it is at most 0777")));
        }
        self.program.umask = Some(mask);
        Ok(self)
    }

    /// `personality(2)`.
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
