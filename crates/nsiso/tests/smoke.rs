use nsiso::{Kinds, Spec, Stdio};
use std::io::Read;
fn out(spec: &mut Spec) -> (String, nsiso::Status) {
    spec.stdio(1, Stdio::Pipe).unwrap();
    let mut p = spec.spawn().unwrap_or_else(|e| panic!("{e:?}"));
    let mut s = String::new();
    std::fs::File::from(p.take_pipe(1).unwrap()).read_to_string(&mut s).unwrap();
    let st = p.wait().unwrap();
    (s, st)
}
#[test]
fn scenario() {
    let mut spec = Spec::new("sh").unwrap();
    spec.args(["-c", "id -u; ps -ef; hostname; cat /proc/uptime; cat /proc/net/dev; ip addr; readlink /proc/self/ns/*; grep Sig /proc/self/status; ls -l /proc/self/fd"]).unwrap()
        .unshare(Kinds::all()).map_root().mount_proc("/proc").unwrap().hostname("inside").unwrap()
        .boottime(nsiso::ClockOffset::new(86400, 0).unwrap()).unwrap();
    let (s, st) = out(&mut spec);
    println!("{s}{st:?}");
    let (s, st) = out(&mut Spec::new("true").unwrap());
    println!("{s}{st:?}");
    println!("{:?}", Spec::new("nonono").unwrap().spawn());
    println!("{:?}", Spec::new("id").unwrap().unshare(Kinds::USER).mount_proc("/proc").unwrap().spawn());
    println!("{:?}", out(Spec::new("id").unwrap().map_auto().map_root()));
    println!("{:?}", out(Spec::new("id").unwrap().uid_map(nsiso::IdRange::new(0,3000000000,10).unwrap()).unwrap()));
}
