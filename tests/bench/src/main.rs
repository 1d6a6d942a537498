//! The Rust contender of `make bench`. `bench.h` describes the protocol.

use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::Instant;

use nsiso::{Kinds, Result, Spec};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, option, size] = &args[..]
        && option == "--parent"
    {
        grow(size);
    }
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input");
        let (case, count) = line.split_once(' ').expect("CASE COUNT");
        let count: usize = count.trim().parse().expect("a number");
        let (case, program) = match case.strip_suffix("-static") {
            Some(case) => (case, std::env::var("BENCH_STATIC").expect("BENCH_STATIC")),
            None => (case, "/bin/true".into()),
        };
        let times: Vec<String> = (0..count)
            .map(|_| {
                let start = Instant::now();
                spawn_and_reap(case, &program).expect("spawn");
                start.elapsed().as_nanos().to_string()
            })
            .collect();
        println!("{}", times.join(" "));
        std::io::stdout().flush().expect("standard output");
    }
}

fn spawn_and_reap(case: &str, program: &str) -> Result<()> {
    let mut spec = Spec::new(program)?;
    match case {
        "none" => {}
        "box" => {
            spec.unshare(Kinds::USER | Kinds::PID | Kinds::MNT).map_root().mount_proc("/proc")?;
        }
        "net" => {
            spec.unshare(Kinds::USER | Kinds::NET);
        }
        "all" => {
            spec.unshare(Kinds::all()).map_root().mount_proc("/proc")?;
        }
        other => panic!("no case {other}"),
    }
    let status = spec.spawn()?.wait()?;
    assert_eq!(status.code(), Some(0));
    Ok(())
}

/// Touches memory and starts 64 idle threads.
fn grow(size: &str) {
    let (number, shift) = match (size.strip_suffix('G'), size.strip_suffix('M')) {
        (Some(number), _) => (number, 30),
        (_, Some(number)) => (number, 20),
        _ => (size, 0),
    };
    let bytes = number.parse::<usize>().expect("a size") << shift;
    black_box(vec![1u8; bytes].leak());
    for _ in 0..64 {
        std::thread::spawn(|| {
            loop {
                std::thread::park();
            }
        });
    }
}
