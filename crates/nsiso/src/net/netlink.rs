//! Encodes and decodes the messages of `netlink(7)` and their attributes. `rtnetlink.rs` sends and
//! receives them.

/// The alignment of messages and attributes in bytes.
const ALIGN: usize = 4;
/// The size of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;
/// The size of `struct nlattr`.
const ATTRIBUTE: usize = 4;
/// The bits of an attribute's type that are flags.
const FLAGS: u16 = (libc::NLA_F_NESTED | libc::NLA_F_NET_BYTEORDER) as u16;

/// A request under construction.
pub(super) struct Message(Vec<u8>);

impl Message {
    /// Begins a request of this type with a fixed part after the header.
    pub fn new(kind: u16, flags: libc::c_int, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend_from_slice(fixed);
        Message(bytes)
    }

    /// Appends an attribute.
    pub fn with(mut self, kind: u16, value: &[u8]) -> Self {
        self.put(kind, value);
        self
    }

    /// Appends an attribute whose value is a string.
    pub fn text(self, kind: u16, value: &str) -> Self {
        self.with(kind, &[value.as_bytes(), b"\0"].concat())
    }

    /// Appends an attribute whose value is a 32-bit number.
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.with(kind, &value.to_ne_bytes())
    }

    /// Appends an attribute whose value is what `inside` appends.
    pub fn nest(mut self, kind: u16, inside: impl FnOnce(Self) -> Self) -> Self {
        self.align();
        let start = self.0.len();
        self.0.extend_from_slice(&[0; ATTRIBUTE]);
        let mut whole = inside(self);
        let len = (whole.0.len() - start) as u16;
        whole.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        whole.0[start + 2..start + 4].copy_from_slice(&kind.to_ne_bytes());
        whole
    }

    /// Appends bytes unchanged, for a nested attribute that begins with a fixed part.
    pub fn fixed(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Sets the length and the sequence number, and returns the bytes of the message.
    pub fn finish(mut self, sequence: u32) -> Vec<u8> {
        self.align();
        let len = self.0.len() as u32;
        self.0[0..4].copy_from_slice(&len.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }

    fn put(&mut self, kind: u16, value: &[u8]) {
        self.align();
        self.0.extend_from_slice(&((ATTRIBUTE + value.len()) as u16).to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
    }

    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
    }
}

/// A received message.
pub(super) struct Reply<'a> {
    pub kind: u16,
    pub sequence: u32,
    pub body: &'a [u8],
}

/// Iterates over the messages in the bytes of one read. Ends at a malformed one.
pub(super) fn replies(bytes: &[u8]) -> impl Iterator<Item = Reply<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let len = u32_at(rest, 0)? as usize;
        let whole = rest.get(..len).filter(|_| len >= HEADER)?;
        rest = rest.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some(Reply { kind: u16_at(whole, 4)?, sequence: u32_at(whole, 8)?, body: &whole[HEADER..] })
    })
}

/// Iterates over the attributes after a fixed part of `skip` bytes. Ends at a malformed one.
pub(super) fn attributes(body: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(skip.next_multiple_of(ALIGN)..).unwrap_or_default();
    std::iter::from_fn(move || {
        let len = u16_at(rest, 0)? as usize;
        let value = rest.get(ATTRIBUTE..len)?;
        let kind = u16_at(rest, 2)? & !FLAGS;
        rest = rest.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Returns the value of the first attribute of a type.
pub(super) fn attribute(body: &[u8], skip: usize, kind: u16) -> Option<&[u8]> {
    attributes(body, skip).find(|(other, _)| *other == kind).map(|(_, value)| value)
}

/// Decodes a string up to its NUL.
pub(super) fn string(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let message = Message::new(16, libc::NLM_F_ACK, &[7; 16])
            .text(3, "eth0")
            .nest(18, |inner| {
                inner
                    .text(1, "veth")
                    .nest(2, |data| data.nest(1, |peer| peer.fixed(&[9; 16]).number(4, 1400)))
            })
            .number(4, 1500);
        let bytes = message.finish(42);
        let all: Vec<Reply> = replies(&bytes).collect();
        let [reply] = &all[..] else { panic!("{} messages", all.len()) };
        assert_eq!((reply.kind, reply.sequence), (16, 42));
        assert_eq!(attribute(reply.body, 16, 3).map(string).as_deref(), Some("eth0"));
        assert_eq!(attribute(reply.body, 16, 4), Some(&1500u32.to_ne_bytes()[..]));
        let info = attribute(reply.body, 16, 18).unwrap();
        let peer = attribute(attribute(info, 0, 2).unwrap(), 0, 1).unwrap();
        assert_eq!((&peer[..16], attribute(peer, 16, 4)), (&[9; 16][..], Some(&1400u32.to_ne_bytes()[..])));
    }

    #[test]
    fn broken_messages_end_the_reading() {
        let mut bytes = Message::new(1, 0, &[]).finish(1);
        bytes.extend([200, 0, 0, 0, 1]);
        assert_eq!(replies(&bytes).count(), 1);
        assert_eq!(replies(&[8, 0, 0, 0, 0, 0, 0, 0]).count(), 0);
        assert_eq!(attributes(&[3, 0, 1, 0], 0).count(), 0);
        assert_eq!(attributes(&[5, 0, 1, 0, 9, 0, 0, 0, 255, 255, 1, 0], 0).count(), 1);
    }
}
