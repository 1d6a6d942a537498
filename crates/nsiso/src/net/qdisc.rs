//! Encodes the queueing disciplines for the packets that leave a device, `tc-netem(8)` and
//! `tc-tbf(8)`. `network.rs` sends them.

use super::netlink::Message;
use crate::spec::Quality;

/// `TC_H_ROOT`, and the handle `1:`.
const ROOT: u32 = u32::MAX;
const HANDLE: u32 = 0x1_0000;
/// The limit of netem: how many packets it holds at a time.
const HELD: u32 = 10_000;
/// The size of the bucket of tbf in bytes: a few packets, and what passes in a timer tick at 250
/// Hz.
const BURST: u64 = 16 << 10;
const TICKS_PER_SECOND: u64 = 250;

/// `TCA_NETEM_RATE`, `_RATE64`, `_LATENCY64`, `_JITTER64`.
const NETEM: [u16; 4] = [6, 8, 10, 11];
/// `TCA_TBF_PARMS`, `_RATE64`, `_BURST`.
const TBF: [u16; 3] = [1, 4, 6];
/// `TC_LINKLAYER_ETHERNET`. Without it the kernel requires a rate table.
const ETHERNET: u8 = 1;

/// Returns the request for a device, or `None` if its endpoint sets no delay, loss or rate.
pub(super) fn discipline(quality: &Quality, device: u32) -> Option<Message> {
    if quality.is_plain() {
        return None;
    }
    let flags = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let mut fixed = [0; 20];
    for (at, number) in [(4, device), (8, HANDLE), (12, ROOT)] {
        fixed[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    }
    let message = Message::new(libc::RTM_NEWQDISC, flags, &fixed);
    Some(match quality.rate {
        Some(rate) if takes_turns_alone(quality) => bucket(message, rate / 8),
        _ => emulator(message, quality),
    })
}

/// Returns whether only a rate is set. Then tbf suffices, which more kernels have than netem.
fn takes_turns_alone(quality: &Quality) -> bool {
    Quality { rate: None, ..*quality }.is_plain()
}

/// Returns the hint for ENOENT: the qdisc that the kernel lacks.
pub(super) fn missing(quality: &Quality) -> &'static str {
    match takes_turns_alone(quality) {
        true => "this kernel cannot limit the rate: it has no tbf, CONFIG_NET_SCH_TBF or the module sch_tbf",
        false => {
            "this kernel cannot delay or lose packets: it has no netem, CONFIG_NET_SCH_NETEM or the module sch_netem (a rate alone needs tbf)"
        }
    }
}

fn emulator(message: Message, quality: &Quality) -> Message {
    let [rate, rate64, latency, jitter] = NETEM;
    // `struct tc_netem_qopt`: latency, limit, loss, gap, duplicate, jitter. The times here are 0:
    // the attributes below set them in nanoseconds.
    let loss = (quality.loss * f64::from(u32::MAX)).round() as u32;
    let options: Vec<u8> =
        [0, HELD, loss, 0, 0, 0].into_iter().flat_map(|number: u32| number.to_ne_bytes()).collect();
    let nanoseconds = |time: std::time::Duration| (time.as_nanos() as i64).to_ne_bytes();
    message.text(libc::TCA_KIND, "netem").nest(libc::TCA_OPTIONS, |inner| {
        let inner = inner
            .fixed(&options)
            .with(latency, &nanoseconds(quality.delay))
            .with(jitter, &nanoseconds(quality.jitter));
        match quality.rate.map(|rate| rate / 8) {
            None => inner,
            Some(bytes) => {
                // `struct tc_netem_rate`. A rate over 32 bits needs an additional attribute.
                let short = u32::try_from(bytes).unwrap_or(u32::MAX);
                let mut parts = [0; 16];
                parts[..4].copy_from_slice(&short.to_ne_bytes());
                let inner = inner.with(rate, &parts);
                if bytes > u64::from(u32::MAX) { inner.with(rate64, &bytes.to_ne_bytes()) } else { inner }
            }
        }
    })
}

fn bucket(message: Message, bytes: u64) -> Message {
    let [parms, rate64, burst] = TBF;
    let full = (BURST + bytes / TICKS_PER_SECOND).min(u64::from(u32::MAX) / 2) as u32;
    // The queue holds what passes in a tenth of a second, besides the bucket.
    let limit = (u64::from(full) + bytes / 10).min(u64::from(u32::MAX)) as u32;
    // `struct tc_tbf_qopt`: two `struct tc_ratespec` of 12 bytes, limit, buffer, mtu.
    let mut options = [0; 36];
    options[1] = ETHERNET;
    options[8..12].copy_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_ne_bytes());
    options[24..28].copy_from_slice(&limit.to_ne_bytes());
    message.text(libc::TCA_KIND, "tbf").nest(libc::TCA_OPTIONS, |inner| {
        let inner = inner.with(parms, &options).number(burst, full);
        if bytes > u64::from(u32::MAX) { inner.with(rate64, &bytes.to_ne_bytes()) } else { inner }
    })
}
