//! Reading what strace writes (`-f -yy -ttt -xx`): calls with the file they are on, their bytes, and the lines at
//! which they began and ended. strace sees each call before it is done and after, and writes the lines in that order:
//! a call that ended at an earlier line than another began at was done before it.

use std::collections::HashMap;

/// A system call that returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) name: String,
    /// The path, or the two ends of the connection, behind its first argument.
    pub(super) target: String,
    /// All bytes among its arguments; of what was written, only what was taken.
    pub(super) bytes: Vec<u8>,
    /// What it returned; negative for a failure.
    pub(super) returned: i64,
    pub(super) began: usize,
    pub(super) ended: usize,
}

impl Call {
    pub(super) fn is_sync(&self) -> bool {
        matches!(&*self.name, "fsync" | "fdatasync") && self.returned == 0
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(&*self.name, "write" | "writev" | "sendto" | "sendmsg" | "pwrite64" | "pwritev") && self.returned > 0
    }

    pub(super) fn is_read(&self) -> bool {
        matches!(&*self.name, "read" | "readv" | "recvfrom" | "recvmsg") && self.returned > 0
    }

    /// The ports of a TCP connection: the caller's own, and the other's.
    pub(super) fn ports(&self) -> Option<(u16, u16)> {
        let ends = self.target.strip_prefix("TCP:[").or_else(|| self.target.strip_prefix("TCPv6:["))?;
        let (own, other) = ends.strip_suffix(']')?.split_once("->")?;
        let port = |end: &str| end.rsplit_once(':')?.1.parse().ok();
        Some((port(own)?, port(other)?))
    }
}

/// What to give strace in front of the command.
pub(super) const OPTIONS: [&str; 9] = [
    "-f",
    "-yy",
    "-ttt",
    "-xx",
    "-s",
    "1000000",
    "--seccomp-bpf",
    "-e",
    "trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,fsync,fdatasync",
];

/// Reads a trace.
pub(super) fn parse(text: &str) -> Vec<Call> {
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in text.lines().enumerate() {
        // Process, time, call; the process is padded.
        let Some((process, rest)) = line.trim_start().split_once(' ') else { continue };
        let Some((_, said)) = rest.trim_start().split_once(' ') else { continue };
        if said.starts_with("+++") || said.starts_with("---") {
            continue;
        }
        if let Some(begun) = said.strip_suffix("<unfinished ...>") {
            open.insert(process, (at, begun.to_owned()));
            continue;
        }
        let (began, whole) = match said.strip_prefix("<... ") {
            None => (at, said.to_owned()),
            Some(rest) => {
                let Some((began, begun)) = open.remove(process) else { continue };
                (began, begun + rest.split_once(" resumed>").map_or("", |(_, rest)| rest))
            }
        };
        calls.extend(call(&whole, began, at));
    }
    calls
}

fn call(whole: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = whole.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ")?;
    let arguments = arguments.trim_end();
    // A call that strace made up has not happened.
    let returned = if result.contains("INJECTED") { -1 } else { result.split(' ').next()?.parse().ok()? };
    let target = match arguments.split_once('<') {
        Some((number, after)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            let end = after.find(">,").unwrap_or(after.len() - usize::from(after.ends_with('>')));
            String::from_utf8_lossy(&unescape(&after[..end])).into_owned()
        }
        _ => String::new(),
    };
    let mut bytes: Vec<u8> = arguments.split('"').skip(1).step_by(2).flat_map(unescape).collect();
    if name.contains("write") || name.contains("send") {
        bytes.truncate(usize::try_from(returned).unwrap_or(0));
    }
    Some(Call { name: name.to_owned(), target, bytes, returned, began, ended })
}

/// The bytes of `\x6d…`; anything else stands for itself.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let coded = after.strip_prefix(b"x").filter(|_| first == b'\\').and_then(|digits| digits.get(..2));
        let coded = coded.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        out.push(coded.unwrap_or(first));
        rest = if coded.is_some() { &after[3..] } else { after };
    }
    out
}

#[test]
fn calls_are_read_whole_or_in_two_parts() {
    let text = r#"
    7  1.000001 recvfrom(15<TCP:[127.0.0.1:3000->127.0.0.1:5555]>, "\x61\x62", 4096, 0, NULL, NULL) = 2
8 1.000002 pwrite64(12<\x2f\x61\x2d\x77\x61\x6c>, "\x01\x02", 2, 96 <unfinished ...>
9 1.000003 fsync(12<\x2f\x61\x2d\x77\x61\x6c> <unfinished ...>
7 1.000004 writev(15<TCP:[127.0.0.1:3000->127.0.0.1:5555]>, [{iov_base="\x61\x62", iov_len=2}, {iov_base="\x63", iov_len=1}], 2) = 2
8 1.000005 <... pwrite64 resumed>) = 2
9 1.000006 <... fsync resumed>) = -1 EIO (Input/output error)
9 1.000007 +++ exited with 0 +++
9 1.000008 fsync(12<\x2f\x61\x2d\x77\x61\x6c>) = 0 (INJECTED)
"#;
    let calls = parse(text.trim_start_matches('\n'));
    let said: Vec<_> = calls
        .iter()
        .map(|call| (&*call.name, &*call.target, &call.bytes[..], call.returned, call.began, call.ended))
        .collect();
    let socket = "TCP:[127.0.0.1:3000->127.0.0.1:5555]";
    assert_eq!(
        said,
        [
            ("recvfrom", socket, &b"ab"[..], 2, 0, 0),
            ("writev", socket, b"ab", 2, 3, 3),
            ("pwrite64", "/a-wal", &[1, 2], 2, 1, 4),
            ("fsync", "/a-wal", b"", -1, 2, 5),
            ("fsync", "/a-wal", b"", -1, 7, 7),
        ]
    );
    assert_eq!(calls[0].ports(), Some((3000, 5555)));
    assert_eq!(calls[2].ports(), None);
    assert!(!calls[3].is_sync() && !calls[4].is_sync());
}
