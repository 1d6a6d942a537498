//! Prints who and where the program is: root, first of its processes, on a host of its own.

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
