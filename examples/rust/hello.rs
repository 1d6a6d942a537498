//! Shows a program that is root, is PID 1 and has a host name of its own.

use nsiso::{Kinds, Spec};

fn main() -> nsiso::Result<()> {
    let mut spec = Spec::new("sh")?;
    spec.args(["-c", "echo I am uid $(id -u), pid $$, on $(hostname); ps -ef"])?
        .unshare(Kinds::USER | Kinds::PID)
        .map_root()
        .mount_proc("/proc")?
        .hostname("inside")?;
    let status = spec.spawn()?.wait()?;
    std::process::exit(status.code().unwrap_or(1));
}
